import type { TensorMap } from '../../../src/core/ports.ts';
import { serveThread } from '../../../src/core/thread.ts';
import { giveWay } from '../../../src/inference/priority.ts';
import { loadGraph } from '../../../src/inference/session.ts';

/** A graph in a worker thread of its own, as the service has it, with nothing around it: what the runtime alone can do. */
export interface RawModelData {
  readonly file: string;
  readonly threads: number;
  /** How far it gives way to other threads. */
  readonly niceness: number;
}

export interface RawRun {
  readonly inputs: TensorMap;
  readonly outputs: readonly string[];
}

export type RawModelMethods = {
  /** Milliseconds of each of `runs` runs, after two that are not counted. */
  time(request: RawRun & { readonly runs: number }): Promise<readonly number[]>;
  /** Runs again and again until `windowMs` have passed. */
  repeat(request: RawRun & { readonly windowMs: number }): Promise<{ readonly runs: number; readonly tookMs: number }>;
};

const WARM_UPS = 2;

await serveThread<RawModelData>(async ({ file, threads, niceness }): Promise<RawModelMethods> => {
  giveWay(niceness);
  const graph = await loadGraph(file, { threads });
  return {
    async time({ inputs, outputs, runs }) {
      const times: number[] = [];
      for (let run = -WARM_UPS; run < runs; run++) {
        const startedAt = performance.now();
        await graph.run(inputs, outputs);
        if (run >= 0) times.push(performance.now() - startedAt);
      }
      return times;
    },
    async repeat({ inputs, outputs, windowMs }) {
      await graph.run(inputs, outputs);
      const startedAt = performance.now();
      let runs = 0;
      while (performance.now() - startedAt < windowMs) {
        await graph.run(inputs, outputs);
        runs += 1;
      }
      return { runs, tookMs: performance.now() - startedAt };
    },
  };
});
