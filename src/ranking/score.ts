import { dot } from '../core/dot.ts';
import { type CoverrankError, failure, isFailure } from '../core/errors.ts';
import type { CoverEncoder, CoverIndex, CrossEncoder, ImageFetcher, QueryEncoder } from '../core/ports.ts';
import type { ImageTokens, Signals, TraceContext } from '../core/types.ts';
import { type FusionWeights, signalsOf, weigh } from './fuse.ts';

/** One pair to score: a query with a cover of the index or with a picture. */
export interface ScorePair {
  readonly query: string;
  readonly image: { readonly id: string } | { readonly url: string } | { readonly bytes: Uint8Array };
}

export type PairScore =
  | { readonly signals: Signals; readonly relevanceScore: number }
  | { readonly error: CoverrankError };

export interface PairScorer {
  /** One entry per pair, in order; a pair that cannot be scored carries its error and the rest go on. */
  score(pairs: readonly ScorePair[], signal: AbortSignal, trace?: TraceContext): Promise<readonly PairScore[]>;
}

export interface PairScorerDeps {
  readonly queryEncoder: QueryEncoder;
  readonly coverEncoder: CoverEncoder;
  readonly crossEncoder: CrossEncoder | undefined;
  readonly index: CoverIndex;
  readonly fetcher: ImageFetcher;
  readonly weights: FusionWeights;
}

interface Subject {
  readonly cosine: number;
  readonly ocrPresence: number | undefined;
  readonly tokens: ImageTokens | undefined;
}

/** `POST /score`: all signals of each pair, for covers of the index and for pictures that are in none. */
export function createPairScorer(deps: PairScorerDeps): PairScorer {
  const { queryEncoder, coverEncoder, crossEncoder, index, fetcher, weights } = deps;

  async function scorePair(
    { query, image }: ScorePair,
    signal: AbortSignal,
    trace: TraceContext | undefined,
  ): Promise<PairScore> {
    const { embedding } = await queryEncoder.encode(query, signal);
    const subject =
      'id' in image ? await indexed(image.id, embedding, signal) : await encoded(image, embedding, signal);
    const reranked =
      crossEncoder === undefined || subject.tokens === undefined
        ? undefined
        : (await crossEncoder.score(crossEncoder.prepare(query), [subject.tokens], signal, { trace }))[0];
    const signals = signalsOf(subject.cosine, subject.ocrPresence, reranked);
    return { signals, relevanceScore: weigh(signals, weights).relevanceScore };
  }

  async function indexed(id: string, embedding: Float32Array, signal: AbortSignal): Promise<Subject> {
    const { neighbors } = await index.recall({ embedding, k: 1, candidates: [id] }, signal);
    const cover = index.get(id);
    const [neighbor] = neighbors;
    if (cover === undefined || neighbor === undefined) throw failure('not_found', 'There is no cover with this id.');
    return { cosine: neighbor.cosine, ocrPresence: cover.ocrPresence, tokens: index.tokens([id])[0] };
  }

  async function encoded(
    image: { readonly url: string } | { readonly bytes: Uint8Array },
    embedding: Float32Array,
    signal: AbortSignal,
  ): Promise<Subject> {
    const bytes = 'url' in image ? await fetcher.fetch(image.url, signal) : image.bytes;
    const { features } = await coverEncoder.encode(bytes, signal);
    return {
      cosine: dot(embedding, features.embedding),
      ocrPresence: features.ocrPresence,
      tokens: features.tokens,
    };
  }

  return {
    score: (pairs, signal, trace) =>
      Promise.all(
        pairs.map((pair) =>
          scorePair(pair, signal, trace).catch((error: unknown) => {
            if (isFailure(error)) return { error };
            throw error;
          }),
        ),
      ),
  };
}
