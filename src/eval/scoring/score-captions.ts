import type { Signals } from '../../core/types.ts';
import type { Captions } from '../judgements/captions.ts';
import { type RetrievalRanks, retrievalRanks, type ScoreRow } from '../metrics/retrieval.ts';
import { FILL_SCORE, topK } from '../metrics/top-k.ts';
import { cosineRow } from './cosines.ts';
import { crossScores } from './cross-scores.ts';
import type { PictureFeatures } from './evaluated-model.ts';
import { encodeGallery, type Gallery } from './gallery.ts';
import { presenceOf, type ScoringDeps } from './score-judgements.ts';

export interface CaptionScoringDeps<F extends PictureFeatures> extends ScoringDeps<F> {
  /** The score of a pair from its signals. */
  readonly score: (signals: Signals) => number;
}

/** Images and texts as a bundle sees them, and the pairs that its cross-encoder scored. */
export interface ScoredCaptions {
  readonly gallery: Gallery;
  /** [T * D] */
  readonly texts: Pick<Gallery, 'embeddings' | 'dim'>;
  /** Score by image and then text; undefined where all pairs have their cosine alone. */
  readonly reranked: ReadonlyMap<number, ReadonlyMap<number, number>> | undefined;
}

/**
 * Scores images and texts with each other. With `topPairs` above 0 each image's best texts and each text's best images
 * by cosine get the cross-encoder's score as well, and only those count (the protocol of R2D2: 64 for CCMB's IQR and
 * ICR, 128 for Flickr30k-CNA).
 */
export async function scoreCaptions<F extends PictureFeatures>(
  captions: Captions,
  topPairs: number,
  { recall, rerank, pictures, signalsOf, score, onProgress }: CaptionScoringDeps<F>,
): Promise<ScoredCaptions> {
  const gallery = await encodeGallery(captions.images, {
    model: recall.model,
    cache: recall.cache,
    pictures,
    onProgress: (done, all) => onProgress?.('pictures', done, all),
  });
  const texts = await embedTexts(captions.texts, recall.model);
  if (topPairs === 0 || !rerank.model.hasCrossEncoder) return { gallery, texts, reranked: undefined };

  const plan = planPairs(gallery, texts, topPairs);
  const crossed = await crossScores(
    { texts: captions.texts, covers: captions.images, text: plan.text, cover: plan.image },
    {
      model: rerank.model,
      cache: rerank.cache,
      pictures,
      imageHashes: gallery.imageHashes,
      onProgress: (done, all) => onProgress?.('cross-encoder', done, all),
    },
  );
  const reranked = new Map<number, Map<number, number>>();
  for (const [pair, signals] of crossed.entries()) {
    const [image, text] = [plan.image[pair] ?? 0, plan.text[pair] ?? 0];
    const ofImage = reranked.get(image) ?? new Map<number, number>();
    reranked.set(image, ofImage);
    const presence = presenceOf(gallery, image, rerank.cache);
    ofImage.set(text, score(signalsOf(plan.cosine[pair] ?? 0, presence, signals)));
  }
  return { gallery, texts, reranked };
}

/** Ranks both ways. Of pairs that no cross-encoder scored none stands before one that it did. */
export function rankCaptions(scored: ScoredCaptions, captions: Captions, topPairs: number): RetrievalRanks {
  const { gallery, texts, reranked } = scored;
  const onlyReranked = (row: Float32Array, scoreOf: (item: number) => number | undefined): void => {
    if (reranked === undefined) return;
    const best = topK(row, topPairs);
    row.fill(FILL_SCORE);
    for (const item of best) row[item] = scoreOf(item) ?? FILL_SCORE;
  };
  const imageToText: ScoreRow = (image, row) => {
    cosineRow(texts, vectorAt(gallery, image), row);
    onlyReranked(row, (text) => reranked?.get(image)?.get(text));
  };
  const textToImage: ScoreRow = (text, row) => {
    cosineRow(gallery, vectorAt(texts, text), row);
    onlyReranked(row, (image) => reranked?.get(image)?.get(text));
  };
  return retrievalRanks(captions, { imageToText, textToImage });
}

type Vectors = Pick<Gallery, 'embeddings' | 'dim'>;

async function embedTexts<F extends PictureFeatures>(
  texts: readonly string[],
  model: ScoringDeps<F>['recall']['model'],
): Promise<Vectors> {
  const embeddings = new Float32Array(texts.length * model.embeddingDim);
  for (const [text, embedding] of (await model.encodeTexts(texts)).entries()) {
    embeddings.set(embedding, text * model.embeddingDim);
  }
  return { embeddings, dim: model.embeddingDim };
}

/** The pairs that either direction needs; a pair's score is the same in both. */
function planPairs(gallery: Gallery, texts: Vectors, topPairs: number) {
  const images = gallery.covers.length;
  const count = texts.embeddings.length / texts.dim;
  const cosines = new Map<number, number>();
  const addBest = (from: Vectors, to: Vectors, size: number, keyOf: (item: number, query: number) => number): void => {
    const row = new Float32Array(to.embeddings.length / to.dim);
    for (let query = 0; query < size; query++) {
      cosineRow(to, vectorAt(from, query), row);
      for (const item of topK(row, topPairs)) cosines.set(keyOf(item, query), row[item] ?? 0);
    }
  };
  addBest(gallery, texts, images, (text, image) => image * count + text);
  addBest(texts, gallery, count, (image, text) => image * count + text);
  const keys = [...cosines.keys()];
  return {
    image: Int32Array.from(keys, (key) => Math.floor(key / count)),
    text: Int32Array.from(keys, (key) => key % count),
    cosine: Float64Array.from(cosines.values()),
  };
}

function vectorAt({ embeddings, dim }: Vectors, position: number): Float32Array {
  return embeddings.subarray(position * dim, (position + 1) * dim);
}
