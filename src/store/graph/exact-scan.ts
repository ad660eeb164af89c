import { dot } from '../../core/dot.ts';
import type { CoverStore } from '../cover-store.ts';

/** Labels scored between two pauses: about a millisecond's worth. */
const SLICE = 512;
/** Up to here scoring every cover takes about as long as asking the graph, and misses none. */
const SMALL = 1_000;

/** Scores in any order, of which the best k are wanted; ties with the k-th are all kept, for the caller to settle. */
export interface BestScores<T> {
  offer(item: T, score: number): void;
  /** Highest score first. */
  take(): { readonly items: T[]; readonly scores: number[] };
}

/**
 * Exact cosines of the query to the covers behind `labels`, read from the store; content that is gone by then is left
 * out. `pause` lets the thread's other work go first, or ends the scan by failing.
 */
export async function scanLabels(
  store: CoverStore,
  query: Float32Array,
  labels: readonly number[],
  k: number,
  pause: () => Promise<void>,
): Promise<{ readonly labels: readonly number[]; readonly cosines: readonly number[] }> {
  const best = createBestScores<number>(k);
  for (let start = 0; start < labels.length; start += SLICE) {
    if (start > 0) await pause();
    // The view on the store ends with the turn; without a new one it could be older than what the filter saw.
    store.refresh();
    for (const label of labels.slice(start, start + SLICE)) {
      const embedding = store.embedding(label);
      if (embedding !== undefined) best.offer(label, dot(query, embedding));
    }
  }
  const { items, scores } = best.take();
  return { labels: items, cosines: scores };
}

export interface ScoredCandidates {
  /** Places in the list of candidates, best first. */
  readonly places: readonly number[];
  readonly cosines: readonly number[];
  /** Places of those that the store does not hold. */
  readonly missing: readonly number[];
}

/** Like `scanLabels` for covers named by the caller, each once; `allow` says which of them may be answered. */
export async function scanCandidates(
  store: CoverStore,
  query: Float32Array,
  ids: readonly string[],
  k: number,
  allow: (id: string) => boolean,
  pause: () => Promise<void>,
): Promise<ScoredCandidates> {
  const best = createBestScores<number>(k);
  const missing: number[] = [];
  for (let place = 0; place < ids.length; place++) {
    if (place % SLICE === 0) {
      if (place > 0) await pause();
      store.refresh();
    }
    const id = ids[place] as string;
    const label = store.labelOf(id);
    if (label === undefined) missing.push(place);
    else if (allow(id)) {
      const embedding = store.embedding(label);
      if (embedding !== undefined) best.offer(place, dot(query, embedding));
    }
  }
  const { items, scores } = best.take();
  return { places: items, cosines: scores, missing };
}

export function createBestScores<T>(k: number): BestScores<T> {
  let kept: { readonly item: T; readonly score: number }[] = [];
  let least = Number.NEGATIVE_INFINITY;
  let room = 2 * k;

  function shrink(): void {
    kept.sort((a, b) => b.score - a.score);
    least = kept[k - 1]?.score ?? least;
    kept = kept.filter(({ score }) => score >= least);
    room = kept.length + k;
  }

  return {
    offer(item, score) {
      if (score < least) return;
      kept.push({ item, score });
      if (kept.length >= room) shrink();
    },
    take() {
      shrink();
      return { items: kept.map(({ item }) => item), scores: kept.map(({ score }) => score) };
    },
  };
}

/**
 * Size of the pool below which scoring all of it is cheaper than the graph. With a filter, the graph looks at about
 * ef * live / pool nodes until it holds `ef` that match, at about the cost of scoring one each; that exceeds the pool
 * while pool² < ef * live.
 */
export function exactBelow(ef: number, live: number, filtered: boolean): number {
  return Math.max(SMALL, filtered ? Math.sqrt(ef * live) : 0);
}
