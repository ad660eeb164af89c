import { failure } from '../../core/errors.ts';
import type { Signals } from '../../core/types.ts';
import type { PictureSource } from '../pictures/picture-source.ts';
import type { EvaluatedModel, PictureFeatures } from './evaluated-model.ts';
import { readPicture } from './gallery.ts';
import { hashPicture, type ScoreCache } from './score-cache.ts';

/** Pairs that the cross-encoder is to score: pair p is texts[text[p]] with covers[cover[p]]. */
export interface PairPlan {
  readonly texts: readonly string[];
  readonly covers: readonly string[];
  /** [P] */
  readonly text: Int32Array;
  /** [P] */
  readonly cover: Int32Array;
}

export interface CrossScoreDeps<F extends PictureFeatures> {
  readonly model: EvaluatedModel<F>;
  readonly pictures: PictureSource;
  readonly cache: ScoreCache;
  /** [covers]; undefined where a blank picture stands in. */
  readonly imageHashes: readonly (string | undefined)[];
  readonly onProgress?: ((done: number, all: number) => void) | undefined;
}

/** Covers whose image tokens are held at once: a ViT-L/14's are 0.8 MB each. */
const COVERS_AT_ONCE = 128;
/** Stands for the picture that takes the place of one that cannot be had. */
const BLANK = 'blank';

/**
 * The cross-encoder's signals of each pair, [P]. Goes through the covers in blocks, so that every picture is encoded
 * once and only a block's tokens are in memory; pairs that the cache knows need no picture at all.
 */
export async function crossScores<F extends PictureFeatures>(
  plan: PairPlan,
  { model, pictures, cache, imageHashes, onProgress }: CrossScoreDeps<F>,
): Promise<Signals[]> {
  const signals = new Array<Signals>(plan.text.length).fill({});
  if (!model.hasCrossEncoder) return signals;
  const pairsOf = groupBy(plan.cover, plan.covers.length);
  const hashOf = (cover: number): string => imageHashes[cover] ?? BLANK;

  async function scoreBlock(covers: readonly number[]): Promise<void> {
    const byText = new Map<number, number[]>();
    for (const pair of covers.flatMap((cover) => pairsOf[cover] ?? [])) {
      const text = plan.text[pair] ?? 0;
      const known = cache.pair(plan.texts[text] ?? '', hashOf(plan.cover[pair] ?? 0));
      if (known !== undefined) signals[pair] = known;
      else byText.set(text, [...(byText.get(text) ?? []), pair]);
    }
    const features = await encodeCovers(new Set([...byText.values()].flat().map((pair) => plan.cover[pair] ?? 0)));
    for (const [text, pairs] of byText) {
      const ofPairs = pairs.map((pair) => features.get(plan.cover[pair] ?? 0) as F);
      const scored = await model.crossScore(plan.texts[text] ?? '', ofPairs);
      for (const [position, pair] of pairs.entries()) {
        const found = scored[position] ?? {};
        signals[pair] = found;
        cache.keepPair(plan.texts[text] ?? '', hashOf(plan.cover[pair] ?? 0), found);
      }
    }
    await cache.flush();
  }

  async function encodeCovers(covers: ReadonlySet<number>): Promise<Map<number, F>> {
    const features = new Map<number, F>();
    for (const cover of covers) features.set(cover, await encodeCover(plan.covers[cover] ?? '', imageHashes[cover]));
    return features;
  }

  async function encodeCover(cover: string, imageHash: string | undefined): Promise<F> {
    if (imageHash === undefined) return model.encodeBlank();
    const picture = await readPicture(pictures, cover);
    // Scores are kept under the picture's hash, so it has to be the picture that was embedded.
    if (!('bytes' in picture) || hashPicture(picture.bytes) !== imageHash) {
      throw failure('invalid_request', `The picture of ${cover} changed during the evaluation.`);
    }
    const features = await model.encodePicture(picture.bytes);
    if (cache.picture(imageHash) === undefined) cache.keepPicture(imageHash, features);
    return features;
  }

  const asked = [...pairsOf.keys()].filter((cover) => (pairsOf[cover]?.length ?? 0) > 0);
  for (let from = 0; from < asked.length; from += COVERS_AT_ONCE) {
    await scoreBlock(asked.slice(from, from + COVERS_AT_ONCE));
    onProgress?.(Math.min(asked.length, from + COVERS_AT_ONCE), asked.length);
  }
  return signals;
}

function groupBy(keys: Int32Array, size: number): number[][] {
  const groups = Array.from({ length: size }, (): number[] => []);
  keys.forEach((key, position) => {
    groups[key]?.push(position);
  });
  return groups;
}
