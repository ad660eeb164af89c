import type { Filter } from '../../core/types.ts';
import type { CoverStore } from '../cover-store.ts';
import type { Scored, VectorIndex } from '../vector-index.ts';
import { compileFilter } from './attribute-filter.ts';
import type { AttributeIndex } from './attribute-index.ts';
import { exactBelow, type ScoredCandidates, scanCandidates, scanLabels } from './exact-scan.ts';

export interface GraphQuery {
  readonly embedding: Float32Array;
  readonly k: number;
  readonly filter: Filter | undefined;
  /** Shared with who asks: not 0 once nobody waits for the answer any more. */
  readonly abandoned?: Int32Array;
}

export interface CandidateQuery extends GraphQuery {
  /** Each id once. */
  readonly ids: readonly string[];
}

export interface GraphSearch {
  /** The nearest covers that the filter lets through: by the graph, or by an exact scan where that is cheaper. */
  search(query: GraphQuery): Promise<Scored>;
  /** Exact cosines of covers that the caller names. */
  score(query: CandidateQuery): Promise<ScoredCandidates>;
}

export interface GraphSearchOptions {
  readonly store: CoverStore;
  readonly attributes: AttributeIndex;
  /** The one that answers now; a rebuild puts another in its place. */
  readonly graph: () => VectorIndex;
  /** Least `ef` of a search. */
  readonly efSearch: number;
  /** Lets the thread's other work go first now and then; fails once nobody waits for the answer. */
  readonly giveWay: (abandoned?: Int32Array) => Promise<void>;
}

export function createGraphSearch({ store, attributes, graph, efSearch, giveWay }: GraphSearchOptions): GraphSearch {
  async function search({ embedding, k, filter, abandoned }: GraphQuery): Promise<Scored> {
    const pause = (): Promise<void> => giveWay(abandoned);
    const filtered = filter !== undefined && Object.keys(filter).length > 0;
    const matched = filtered ? await attributes.matching(filter, pause) : undefined;
    const pool = matched?.size ?? attributes.size;
    const wanted = Math.min(k, pool);
    if (wanted === 0) return { labels: [], cosines: [] };
    const ef = Math.max(efSearch, 2 * wanted);
    if (pool > exactBelow(ef, attributes.size, filtered)) {
      const found = searchGraph(embedding, wanted, ef, matched);
      if (found !== undefined) return found;
    }
    return scanLabels(store, embedding, [...(matched ?? attributes.labels())], wanted, pause);
  }

  /** Undefined when the graph gave fewer than `wanted`, or would have to look at more nodes than an exact scan. */
  function searchGraph(
    embedding: Float32Array,
    wanted: number,
    ef: number,
    matched: ReadonlySet<number> | undefined,
  ): Scored | undefined {
    if (matched === undefined) {
      const found = graph().search(embedding, wanted, ef);
      return found.labels.length < wanted ? undefined : found;
    }
    // A native search cannot be stopped, but it ends soon once everything is let through.
    let budget = matched.size;
    const found = graph().search(embedding, wanted, ef, (label) => --budget < 0 || matched.has(label));
    return budget < 0 || found.labels.length < wanted ? undefined : found;
  }

  function score({ embedding, k, filter, ids, abandoned }: CandidateQuery): Promise<ScoredCandidates> {
    const compiled = filter === undefined ? undefined : compileFilter(filter);
    const allow = (id: string): boolean => {
      if (compiled === undefined) return true;
      const cover = store.cover(id);
      return cover !== undefined && compiled.matches(cover.attributes);
    };
    return scanCandidates(store, embedding, ids, k, allow, () => giveWay(abandoned));
  }

  return { search, score };
}
