import type { Signals } from '../../core/types.ts';
import { createPairsBuilder, filterRows, type JudgedPairs, queryOfRows, rowsOf } from '../judgements/judged-pairs.ts';
import { topK } from '../metrics/top-k.ts';
import type { PictureSource } from '../pictures/picture-source.ts';
import { cosineRow, cosineWith } from './cosines.ts';
import { crossScores } from './cross-scores.ts';
import type { EvaluatedModel, PictureFeatures } from './evaluated-model.ts';
import { encodeGallery, type Gallery } from './gallery.ts';
import type { ScoreCache } from './score-cache.ts';
import { type SignalTable, signalTable } from './signal-table.ts';

/** A bundle with the cache of what it made before. */
export interface CachedModel<F extends PictureFeatures> {
  readonly model: EvaluatedModel<F>;
  readonly cache: ScoreCache;
}

export interface ScoringDeps<F extends PictureFeatures> {
  readonly recall: CachedModel<F>;
  /** The cross-encoder's bundle; the recall bundle where it has one itself. */
  readonly rerank: CachedModel<F>;
  readonly pictures: PictureSource;
  /** All signals of a pair from those of the towers and of the cross-encoder. */
  readonly signalsOf: (cosine: number, presence: number | undefined, crossed: Signals | undefined) => Signals;
  readonly onProgress?: ((step: string, done: number, all: number) => void) | undefined;
}

export interface ScoringOptions {
  /** Covers of the gallery that are added to each query, nearest first, with label 0: nobody judged them. */
  readonly unjudged: number;
  /** A blank picture in the place of one that cannot be had, as the authors of CBVS do, or no such rows at all. */
  readonly missing: 'blank' | 'leave-out';
}

export interface ScoredJudgements {
  readonly pairs: JudgedPairs;
  /** [R] rows of `pairs`. */
  readonly signals: SignalTable;
  readonly gallery: Gallery;
  /** [Q] of `pairs`, [dim] each. */
  readonly queries: readonly Float32Array[];
}

/** Every signal of every judged pair, from pictures and bundles. */
export async function scoreJudgements<F extends PictureFeatures>(
  judged: JudgedPairs,
  { unjudged, missing }: ScoringOptions,
  { recall, rerank, pictures, signalsOf, onProgress }: ScoringDeps<F>,
): Promise<ScoredJudgements> {
  const more = unjudged > 0 ? (pictures.covers ?? []).filter(notIn(judged.covers)) : [];
  const gallery = await encodeGallery([...judged.covers, ...more], {
    model: recall.model,
    cache: recall.cache,
    pictures,
    onProgress: (done, all) => onProgress?.('pictures', done, all),
  });
  const embeddings = await recall.model.encodeTexts(judged.queries);
  const kept = missing === 'blank' ? judged : withoutMissing(judged, gallery);
  const pairs = withUnjudged(kept, gallery, embeddingsOf(kept.queries, judged.queries, embeddings), unjudged);
  const queries = embeddingsOf(pairs.queries, judged.queries, embeddings);

  const text = queryOfRows(pairs);
  const crossed = await crossScores(
    { texts: pairs.queries, covers: pairs.covers, text, cover: pairs.cover },
    {
      model: rerank.model,
      cache: rerank.cache,
      pictures,
      imageHashes: gallery.imageHashes,
      onProgress: (done, all) => onProgress?.('cross-encoder', done, all),
    },
  );
  const rows = crossed.map((signals, row) => {
    const cover = pairs.cover[row] ?? 0;
    const query = queries[text[row] ?? 0] ?? new Float32Array();
    return signalsOf(cosineWith(gallery, query, cover), presenceOf(gallery, cover, rerank.cache), signals);
  });
  return { pairs, signals: signalTable(rows), gallery, queries };
}

/** OCR presence by the recall bundle, or by the reranker's where that one has no such head, as when a cover is indexed. */
export function presenceOf(gallery: Gallery, cover: number, ofReranker: ScoreCache): number | undefined {
  const hash = gallery.imageHashes[cover];
  return gallery.presence[cover] ?? (hash === undefined ? undefined : ofReranker.picture(hash)?.ocrPresence);
}

/** A query that lost all its rows is gone from the pairs, so embeddings are found by text. */
function embeddingsOf(
  texts: readonly string[],
  embedded: readonly string[],
  embeddings: readonly Float32Array[],
): Float32Array[] {
  const byText = new Map(embedded.map((text, query) => [text, embeddings[query]]));
  return texts.map((text) => byText.get(text) ?? new Float32Array());
}

function notIn(covers: readonly string[]): (cover: string) => boolean {
  const known = new Set(covers);
  return (cover) => !known.has(cover);
}

/** Cosines of a query with the whole gallery, [C] into `row`; what is left out comes after everything. */
export function galleryCosines(
  gallery: Gallery,
  query: Float32Array,
  missing: ScoringOptions['missing'],
  row: Float32Array,
): void {
  cosineRow(gallery, query, row);
  if (missing === 'blank') return;
  for (const [cover, hash] of gallery.imageHashes.entries()) if (hash === undefined) row[cover] = -Infinity;
}

function withoutMissing(pairs: JudgedPairs, gallery: Gallery): JudgedPairs {
  return filterRows(pairs, (row) => gallery.imageHashes[pairs.cover[row] ?? 0] !== undefined).pairs;
}

/**
 * The judged rows of each query and, after them, those of its `count` nearest covers that nobody judged, with label 0 as
 * TREC's measures take them. The covers become those of the gallery, whose first ones are the judged ones.
 */
function withUnjudged(
  pairs: JudgedPairs,
  gallery: Gallery,
  queries: readonly Float32Array[],
  count: number,
): JudgedPairs {
  if (count === 0) return { ...pairs, covers: gallery.covers };
  const builder = createPairsBuilder();
  const row = new Float32Array(gallery.covers.length);
  for (const [query, text] of pairs.queries.entries()) {
    const { from, to } = rowsOf(pairs, query);
    const judged = new Set(pairs.cover.subarray(from, to));
    for (let judgedRow = from; judgedRow < to; judgedRow++) {
      const cover = gallery.covers[pairs.cover[judgedRow] ?? 0] ?? '';
      builder.add(text, cover, pairs.label[judgedRow] ?? 0, pairs.line[judgedRow] ?? 0);
    }
    cosineRow(gallery, queries[query] ?? new Float32Array(), row);
    const nearest = topK(row, count + judged.size).filter(
      (cover) => !judged.has(cover) && gallery.imageHashes[cover] !== undefined,
    );
    for (const cover of nearest.slice(0, count)) builder.add(text, gallery.covers[cover] ?? '', 0, 0);
  }
  return inGallery(builder.finish().pairs, gallery);
}

/** The same pairs with covers numbered as in the gallery. */
function inGallery(pairs: JudgedPairs, { covers }: Gallery): JudgedPairs {
  const numbers = new Map(covers.map((cover, number) => [cover, number]));
  return {
    ...pairs,
    covers,
    cover: pairs.cover.map((cover) => numbers.get(pairs.covers[cover] ?? '') ?? 0),
  };
}
