import './no-telemetry.ts';

import type { BundleGraphName } from '../core/bundle-format.ts';
import { type CoverrankError, failure } from '../core/errors.ts';
import { startThread, type Thread } from '../core/thread.ts';
import type { Bundle } from './bundle.ts';
import type { ModelThreadData, ModelThreadMethods } from './model-thread.ts';
import type { Device } from './session.ts';

export interface ModelPartOptions {
  readonly name: string;
  readonly bundle: Bundle;
  readonly graphs: readonly BundleGraphName[];
  readonly threads: number;
  readonly device: Device;
  readonly niceness: number;
  /** Told when the thread died and when its successor is up. */
  readonly onDeath?: (error: CoverrankError) => void;
}

/** Graphs of a bundle in a worker thread that is started anew when it dies. */
export interface ModelPart {
  call: Thread<ModelThreadMethods>['call'];
  readonly ready: boolean;
  close(): Promise<void>;
}

const RESTART_DELAY_MS = 200;

/** Loads the graphs; rejects when one cannot be loaded. */
export async function startModelPart(options: ModelPartOptions): Promise<ModelPart> {
  let closed = false;
  let thread: Thread<ModelThreadMethods> | undefined = await start();
  watch(thread);

  function start(): Promise<Thread<ModelThreadMethods>> {
    const data: ModelThreadData = {
      graphs: Object.fromEntries(options.graphs.map((name) => [name, graphFile(options.bundle, name)])),
      threads: options.threads,
      device: options.device,
      niceness: options.niceness,
    };
    return startThread(new URL('./model-thread.js', import.meta.url), data, { name: options.name });
  }

  function watch(started: Thread<ModelThreadMethods>): void {
    void started.died.then(async (error) => {
      thread = undefined;
      options.onDeath?.(error);
      while (!closed && thread === undefined) {
        await new Promise((resolve) => setTimeout(resolve, RESTART_DELAY_MS).unref());
        thread = await start().catch(() => undefined);
      }
      if (thread !== undefined && closed) await thread.close();
      else if (thread !== undefined) watch(thread);
    });
  }

  return {
    call(method, argument, transfer) {
      if (thread === undefined) return Promise.reject(failure('unavailable', `The ${options.name} is starting again.`));
      return thread.call(method, argument, transfer);
    },
    get ready() {
      return thread !== undefined;
    },
    async close() {
      closed = true;
      await thread?.close();
    },
  };
}

function graphFile(bundle: Bundle, name: BundleGraphName): string {
  const graph = bundle.manifest.graphs[name];
  if (graph === undefined) throw failure('invalid_bundle', `The bundle ${bundle.ref.name} has no ${name} graph.`);
  return bundle.path(graph.file);
}
