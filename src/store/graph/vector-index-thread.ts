import { serveThread } from '../../core/thread.ts';
import { openCoverStore } from '../cover-store.ts';
import type { Scored } from '../vector-index.ts';
import { createCoverGraph, type GraphState, type LoadOptions } from './cover-graph.ts';
import type { ScoredCandidates } from './exact-scan.ts';
import type { CandidateQuery, GraphQuery } from './graph-search.ts';
import type { GraphOwner } from './graph-snapshot.ts';

/** The thread that owns the graph. */
export type VectorIndexMethods = {
  load(how: LoadOptions): Promise<{ readonly state: GraphState; readonly rebuiltBecause: string | undefined }>;
  catchUp(sequence: number): Promise<GraphState>;
  search(query: GraphQuery): Promise<Scored>;
  score(query: CandidateQuery): Promise<ScoredCandidates>;
  save(argument: null): Promise<GraphState>;
  rebuild(argument: null): Promise<GraphState>;
  /** Whether all that it read of the store was whole. */
  close(argument: null): Promise<boolean>;
};

export interface VectorIndexThreadData {
  readonly storePath: string;
  readonly graphFolder: string;
  readonly owner: GraphOwner;
  readonly efSearch: number;
}

await serveThread<VectorIndexThreadData>(({ storePath, graphFolder, owner, efSearch }): VectorIndexMethods => {
  const store = openCoverStore(storePath);
  const graph = createCoverGraph({ store, folder: graphFolder, owner, efSearch });
  const running = new Set<Promise<unknown>>();
  /** The store must not be closed under anything that reads it. */
  const tracked = <T>(work: Promise<T>): Promise<T> => {
    const settled: Promise<unknown> = work.then(
      () => running.delete(settled),
      () => running.delete(settled),
    );
    running.add(settled);
    return work;
  };
  const stateAfter = async (work: Promise<unknown>): Promise<GraphState> => {
    await tracked(work);
    return graph.state();
  };
  return {
    load: async (how) => {
      const rebuiltBecause = await tracked(graph.load(how));
      // It ends early when the graph is closed meanwhile.
      void tracked(graph.prepareFilters().catch(() => {}));
      return { state: graph.state(), rebuiltBecause };
    },
    catchUp: (sequence) => stateAfter(graph.catchUp(sequence)),
    search: (query) => tracked(graph.search(query)),
    score: (query) => tracked(graph.score(query)),
    save: () => stateAfter(graph.save()),
    rebuild: () => stateAfter(graph.rebuild()),
    close: async () => {
      graph.stop();
      await Promise.all(running);
      return store.close();
    },
  };
});
