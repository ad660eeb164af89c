import { failure, isFailure } from '../../core/errors.ts';
import type { SnapshotInfo } from '../../core/ports.ts';
import { createMutex } from '../mutex.ts';
import type { GraphState } from './cover-graph.ts';
import type { CoverIndexEvent, GraphClient } from './graph-client.ts';

/** The graph is built anew when it has more tombstones than this number and than this share of its elements. */
export interface RebuildPolicy {
  readonly tombstones: number;
  readonly share: number;
}

export interface GraphMaintenance {
  /** Saves or rebuilds in the background when the graph's state asks for it. */
  consider(state: GraphState): void;
  /** Saves the graph; that it could not be saved is told as an event, since the store has everything. */
  save(): Promise<void>;
  /** Takes a copy of store and graph with `copy`. */
  snapshot(copy: () => Promise<SnapshotInfo>): Promise<SnapshotInfo>;
  rebuild(because: string): Promise<void>;
}

export interface GraphMaintenanceOptions {
  readonly graph: GraphClient;
  readonly saveEveryWrites: number;
  readonly rebuildWhen: RebuildPolicy;
  /** Drops the log up to a sequence that a saved graph covers; does some of it and says whether there is more. */
  trimLog(upTo: number): Promise<boolean>;
  onEvent(event: CoverIndexEvent): void;
}

export function createGraphMaintenance(options: GraphMaintenanceOptions): GraphMaintenance {
  const { graph, onEvent } = options;
  // One at a time: a copy taken while the log is trimmed would lack what its graph needs.
  const alone = createMutex();
  let pending = 0;
  /** More than the policy's own number while a rebuild that failed is not to be tried again yet. */
  let rebuildAbove = options.rebuildWhen.tombstones;

  function inBackground(work: () => Promise<void>): void {
    pending += 1;
    void alone(work)
      .catch((error: Error) => {
        // A thread that died or is being closed says so itself.
        if (!isFailure(error, 'unavailable')) onEvent({ event: 'graph_save_failed', error });
      })
      .finally(() => {
        pending -= 1;
      });
  }

  /** An error of the disk comes out of the graph's thread without its code. */
  function sayThatSaveFailed(error: Error): never {
    if (isFailure(error)) throw error;
    onEvent({ event: 'graph_save_failed', error });
    throw failure('unavailable', 'The graph cannot be saved now.', { cause: error });
  }

  async function saveAndTrim(): Promise<void> {
    const before = graph.status().snapshot?.sequence;
    const { snapshot } = await graph.save();
    if (snapshot === null || snapshot.sequence === before) return;
    onEvent({ event: 'graph_saved', sequence: snapshot.sequence });
    while (await options.trimLog(snapshot.sequence));
  }

  async function rebuildAndSave(because: string): Promise<void> {
    await graph.rebuild(because);
    await saveAndTrim();
  }

  /**
   * Over a cover that cannot be read every rebuild fails, however long it takes: the next one waits until there are as
   * many tombstones again as call for one. Meanwhile the graph that goes on answering is saved, so that the log ends.
   */
  async function dropTombstones({ elements, deleted }: GraphState): Promise<void> {
    const { tombstones, share } = options.rebuildWhen;
    try {
      await graph.rebuild(`${deleted} of ${elements} elements are deleted`);
    } catch (error) {
      rebuildAbove = deleted + Math.max(tombstones, share * elements);
      // The thread died or is being closed.
      if (isFailure(error, 'unavailable')) throw error;
      onEvent({ event: 'graph_rebuild_failed', error: error as Error });
    }
    await saveAndTrim();
  }

  return {
    consider(state) {
      if (pending > 0) return;
      const { sequence, elements, deleted, snapshot } = state;
      const { tombstones, share } = options.rebuildWhen;
      if (deleted <= tombstones) rebuildAbove = tombstones;
      if (deleted > rebuildAbove && deleted > share * elements) {
        inBackground(() => dropTombstones(state));
      } else if (sequence - (snapshot?.sequence ?? 0) >= options.saveEveryWrites) inBackground(saveAndTrim);
    },
    save: () => alone(saveAndTrim).catch((error: Error) => onEvent({ event: 'graph_save_failed', error })),
    snapshot: (copy) =>
      alone(async () => {
        await saveAndTrim().catch(sayThatSaveFailed);
        return copy();
      }),
    rebuild: (because) => alone(() => rebuildAndSave(because)),
  };
}
