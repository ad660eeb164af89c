import { LRUCache } from 'lru-cache';
import { createRandom } from '../../../loadtest/random.ts';
import { dot } from '../../../src/core/dot.ts';
import { embeddingNear, randomEmbedding } from '../../store/sample-covers.ts';

/** What an id may be: a version of its cover, or no cover. Every write of an id has a number of its own. */
interface State {
  readonly version: number;
  readonly deleted: boolean;
}

/** What the service under test says of an id; null where it has no such cover. */
export interface Observed {
  readonly title: string | undefined;
  readonly version: unknown;
  readonly cosine: number;
}

export type Verdict = 'right' | 'lost' | 'back' | 'torn';

/** From when on a write counts: what was acknowledged of each id at one moment. */
export type Moment = ReadonlyMap<string, number>;

/**
 * The log of what was asked of the service and what it acknowledged. After a crash an id must be in the state that was
 * acknowledged last or in one that was asked for since.
 */
export interface Oracle {
  readonly ids: readonly string[];
  /** Says that a write is about to be sent; returns its version. */
  asking(id: string, deleted: boolean): number;
  acknowledge(id: string, version: number): void;
  now(): Moment;
  /** Holds what was observed of `id` against all that was asked since `moment`. */
  judge(id: string, observed: Observed | null, moment: Moment, query: Float32Array): Verdict;
  /** After a restart: what was asked and is not there will not come any more. */
  settle(id: string, observed: Observed | null): void;
  isSurelyGone(id: string): boolean;
  /** Ids of the covers there are now, when nothing is under way, by exact cosine. */
  exact(query: Float32Array, k: number): string[];
  readonly covers: number;
  embedding(id: string, version: number): Float32Array;
}

const CENTRES = 40;
const SAME_COSINE = 1e-4;

export function createOracle(count: number, dim: number, seed: number): Oracle {
  const ids = Array.from({ length: count }, (_, number) => `cover/${number}`);
  const centres = Array.from({ length: CENTRES }, (_, i) => randomEmbedding(createRandom(seed * 1_000 + i), dim));
  const asked = new Map<string, State[]>(ids.map((id) => [id, [{ version: 0, deleted: true }]]));
  const acknowledged = new Map<string, number>(ids.map((id) => [id, 0]));
  /** By version; made again when asked for once it was forgotten. */
  const embeddings = new LRUCache<number, Float32Array>({ max: 3 * count });
  let lastVersion = 0;

  const statesOf = (id: string): State[] => asked.get(id) ?? [];
  const current = (id: string): State | undefined =>
    statesOf(id).find(({ version }) => version === acknowledged.get(id));

  function embedding(id: string, version: number): Float32Array {
    const known = embeddings.get(version);
    if (known !== undefined) return known;
    const random = createRandom(seed + version * 7_919);
    const made = embeddingNear(centres[Number(id.slice(6)) % CENTRES] as Float32Array, random, 1);
    embeddings.set(version, made);
    return made;
  }

  function live(): { id: string; version: number }[] {
    return ids.flatMap((id) => {
      const state = current(id);
      return state === undefined || state.deleted ? [] : [{ id, version: state.version }];
    });
  }

  return {
    ids,
    asking(id, deleted) {
      lastVersion += 1;
      statesOf(id).push({ version: lastVersion, deleted });
      return lastVersion;
    },
    acknowledge: (id, version) => void acknowledged.set(id, version),
    now: () => new Map(acknowledged),
    judge(id, observed, moment, query) {
      const since = moment.get(id) ?? 0;
      const possible = statesOf(id).filter(({ version }) => version >= since);
      if (observed === null) return possible.some(({ deleted }) => deleted) ? 'right' : 'lost';
      const version = Number(observed.version);
      const isOne = observed.title === `version ${version}` && statesOf(id).some((state) => state.version === version);
      if (!isOne || Math.abs(dot(query, embedding(id, version)) - observed.cosine) > SAME_COSINE) return 'torn';
      if (possible.some((state) => state.version === version && !state.deleted)) return 'right';
      return possible.some(({ deleted }) => deleted) ? 'back' : 'lost';
    },
    settle(id, observed) {
      if (observed === null) lastVersion += 1;
      const version = observed === null ? lastVersion : Number(observed.version);
      asked.set(id, [{ version, deleted: observed === null }]);
      acknowledged.set(id, version);
    },
    isSurelyGone: (id) =>
      statesOf(id).every(({ version, deleted }) => deleted || version < (acknowledged.get(id) ?? 0)),
    exact(query, k) {
      return live()
        .map(({ id, version }) => ({ id, cosine: dot(query, embedding(id, version)) }))
        .sort((a, b) => b.cosine - a.cosine)
        .slice(0, k)
        .map(({ id }) => id);
    },
    get covers() {
      return live().length;
    },
    embedding,
  };
}
