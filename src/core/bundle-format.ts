import { createHash } from 'node:crypto';
import { type Static, Type } from 'typebox';

/**
 * `bundle.json`: what a model bundle holds and how to use it. Written by `convert`, read by `inference`.
 *
 * Graphs and their tensors (B images or texts, S padded length, D embedding_dim, N tokens of width W, R image size,
 * T texts, P pairs, L rerank context length):
 *
 *   preprocess   image u8 [H, W, 3] RGB                                → pixel_values f32 [1, 3, R, R]
 *   image        pixel_values f32 [B, 3, R, R]                         → embedding f32 [B, D], and where there are heads
 *                                                                        tokens f32 [B, N, W], tokens_int8 i8 [B, N, W'],
 *                                                                        token_scale f32 [B, N], ocr_presence f32 [B]
 *   text         input_ids i64 [B, S], attention_mask i32 [B, S]       → embedding f32 [B, D]
 *   rerank       input_ids i64 [T, L], pair_text i64 [P],
 *                tokens_int8 i8 [P, N, W'], token_scale f32 [P, N]      → one f32 [P] per signal of `rerank.signals`
 *   rerank_float the same with tokens f32 [P, N, W] in place of the quantised ones, on the same weights
 *
 * Pair p is text `pair_text[p]` with image p. Embeddings leave the graphs L2-normalised.
 *
 * Where the rerank graphs have an input attention_mask i32 [T, L], L varies: texts are padded to the longest of the
 * batch, and the padding counts for nothing. Where they have none, L is `rerank.context_length` and the padding is
 * read, as the model was trained to.
 */
export const BUNDLE_FORMAT = 1;

const TensorInfo = Type.Object(
  {
    name: Type.String(),
    type: Type.String(),
    /** A number, or the name of a dimension that varies. */
    shape: Type.Array(Type.Union([Type.Integer(), Type.String()])),
  },
  { additionalProperties: false },
);

const Precision = Type.Union([Type.Literal('fp32'), Type.Literal('fp16'), Type.Literal('int8')]);

const Graph = Type.Object(
  {
    file: Type.String(),
    precision: Precision,
    inputs: Type.Array(TensorInfo),
    outputs: Type.Array(TensorInfo),
  },
  { additionalProperties: false },
);

const GraphName = ['preprocess', 'image', 'text', 'rerank', 'rerank_float'] as const;

const SelfTest = Type.Object(
  {
    /** Token ids, [CLS] … [SEP], and the embedding that the text graph gave for them at conversion. */
    text: Type.Object({ input_ids: Type.Array(Type.Integer()), embedding: Type.Array(Type.Number()) }),
    /** The picture is made, not stored: pixel_values[i] = sin(i * step), i over [3, R, R]. */
    image: Type.Object({
      step: Type.Number(),
      embedding: Type.Array(Type.Number()),
      ocr_presence: Type.Union([Type.Number(), Type.Null()]),
    }),
    /** That text with that image's tokens; one number per rerank signal. */
    rerank: Type.Union([Type.Record(Type.String(), Type.Number()), Type.Null()]),
    /** Least cosine of each embedding to the recorded one, and the most that a signal may differ. */
    min_cosine: Type.Number(),
    max_signal_difference: Type.Number(),
  },
  { additionalProperties: false },
);

export const BundleManifest = Type.Object(
  {
    format: Type.Literal(BUNDLE_FORMAT),
    name: Type.String({ minLength: 1 }),
    /** Family as a person would name it, such as `uniclip ViT-B/16 + RoBERTa-base`. */
    architecture: Type.String(),
    embedding_dim: Type.Integer({ minimum: 1 }),
    tokenizer: Type.Object(
      {
        type: Type.Literal('bert'),
        vocab: Type.String(),
        lower_case: Type.Boolean(),
        /**
         * True: texts are read as transformers' BertTokenizer does, so that a literal `[CLS]` becomes that id and private
         * characters are dropped; false: as Google's, which splits `[CLS]` into pieces like any text.
         */
        special_tokens_in_text: Type.Boolean(),
        /** A longer word becomes one [UNK]: 200 in Google's tokenizer and CLIP's copies of it, 100 in transformers. */
        max_word_characters: Type.Integer({ minimum: 1 }),
        /** Most tokens a text may have, [CLS] and [SEP] included. */
        context_length: Type.Integer({ minimum: 3 }),
      },
      { additionalProperties: false },
    ),
    image: Type.Object(
      {
        size: Type.Integer({ minimum: 1 }),
        mean: Type.Array(Type.Number(), { minItems: 3, maxItems: 3 }),
        std: Type.Array(Type.Number(), { minItems: 3, maxItems: 3 }),
        /**
         * `viewer`: as a person sees it (EXIF orientation honoured, transparency laid over white, palettes expanded
         * before resizing). `pillow`: as the reference code reads it (orientation ignored, alpha dropped after a
         * premultiplied resize, palette images resized by nearest neighbour). `pillow_rgb`: as reference code reads it
         * that converts to RGB before it resizes (orientation ignored, alpha dropped, all kinds resized alike). Both clip
         * 16 bits of grey to 8, as Pillow does.
         */
        decoding: Type.Union([Type.Literal('viewer'), Type.Literal('pillow'), Type.Literal('pillow_rgb')]),
      },
      { additionalProperties: false },
    ),
    /**
     * Stored tokens of a cover that a reranker needs, and int8 values of each (W'): as many as the image tower is wide,
     * and behind them up to as many again that refine them. `pool` is the patches along each side that were averaged into
     * one token; without it each patch has its own. Null where the bundle has no reranker.
     */
    tokens: Type.Union([
      Type.Object(
        { count: Type.Integer(), width: Type.Integer(), pool: Type.Optional(Type.Integer({ minimum: 2 })) },
        { additionalProperties: false },
      ),
      Type.Null(),
    ]),
    rerank: Type.Union([
      Type.Object(
        {
          /** Ids a text is cut to for the reranker, and padded to where its graphs have no attention_mask. */
          context_length: Type.Integer({ minimum: 3 }),
          signals: Type.Array(Type.String()),
        },
        { additionalProperties: false },
      ),
      Type.Null(),
    ]),
    graphs: Type.Object(
      {
        preprocess: Graph,
        image: Graph,
        text: Graph,
        rerank: Type.Optional(Graph),
        rerank_float: Type.Optional(Graph),
      },
      { additionalProperties: false },
    ),
    /** Signals that this bundle offers, by name, in the order they are shown. */
    signals: Type.Array(Type.String()),
    /** Weight of each signal unless the configuration says otherwise; signals left out weigh 0. */
    fusion: Type.Record(Type.String(), Type.Number()),
    self_test: SelfTest,
    /** Where the weights came from: file name, its sha256 (of several parts that of their list), licence and origin. */
    source: Type.Record(Type.String(), Type.Union([Type.String(), Type.Number(), Type.Boolean(), Type.Null()])),
    /** Every other file of the bundle, by path relative to it. */
    files: Type.Record(
      Type.String(),
      Type.Object({ bytes: Type.Integer(), sha256: Type.String() }, { additionalProperties: false }),
    ),
    /** sha256 over the canonical JSON of this document without this field; the file digests are in it. */
    hash: Type.String(),
  },
  { additionalProperties: false },
);

export type BundleManifest = Static<typeof BundleManifest>;
export type BundleGraph = Static<typeof Graph>;
export type BundleGraphName = (typeof GraphName)[number];
export type Precision = Static<typeof Precision>;

/** The bundle's identity: sha256 (hex) over its manifest with sorted keys and no `hash`. */
export function bundleHash(manifest: Omit<BundleManifest, 'hash'>): string {
  const { hash: _, ...rest } = manifest as BundleManifest;
  return createHash('sha256').update(canonicalJson(rest)).digest('hex');
}

/** The self-test's picture: [3, size, size] float32, pixel_values[i] = sin(i * step). */
export function selfTestPixels(size: number, step: number): Float32Array {
  return Float32Array.from({ length: 3 * size * size }, (_, index) => Math.sin(index * step));
}

function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) =>
    item !== null && typeof item === 'object' && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)))
      : item,
  );
}
