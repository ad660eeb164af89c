import os from 'node:os';
import type { BundleGraphName } from '../core/bundle-format.ts';
import type { Bundle } from './bundle.ts';
import { type ModelPart, startModelPart } from './model-part.ts';
import type { Device } from './session.ts';

/** What a bundle is split into, each with a thread of its own. */
export type PartName = 'text' | 'image' | 'rerank';

export interface PartOptions {
  /** Threads inside each part; 0 chooses by the machine. */
  readonly threads: Readonly<Record<PartName, number>>;
  /** Where the towers and the reranker run. */
  readonly device: Device;
  readonly onDeath?: (part: string, error: Error) => void;
}

interface PartKind {
  readonly title: string;
  readonly graphs: readonly BundleGraphName[];
  /**
   * With all cores at work on models, the thread that takes requests and keeps deadlines goes first: it needs little, at
   * once. A query's text goes before pairs of others, which take many times as long, and indexing waits for ranking.
   */
  readonly niceness: number;
  readonly defaultThreads: (cores: number) => number;
}

const MAX_DEFAULT_THREADS = 8;
const allCores = (cores: number): number => Math.min(cores, MAX_DEFAULT_THREADS);
const halfOfCores = (cores: number): number => Math.max(1, Math.floor(cores / 2));

const KINDS: Readonly<Record<PartName, PartKind>> = {
  text: { title: 'text tower', graphs: ['text'], niceness: 5, defaultThreads: allCores },
  image: { title: 'image tower', graphs: ['preprocess', 'image'], niceness: 15, defaultThreads: halfOfCores },
  rerank: { title: 'cross-encoder', graphs: ['rerank'], niceness: 10, defaultThreads: allCores },
};

/** How the named part is run: threads as configured or by the machine, and what they give way to. */
export function partSetup(name: PartName, threads: PartOptions['threads']) {
  const { niceness, defaultThreads } = KINDS[name];
  return { niceness, threads: threads[name] || defaultThreads(os.availableParallelism()) };
}

/** Whether the named parts, all at work, have more threads than the machine has cores. */
export function partsShareCores(names: readonly PartName[], { threads, device }: PartOptions): boolean {
  const wanted = names.reduce((sum, name) => sum + partSetup(name, threads).threads, 0);
  return device === 'cpu' && wanted > os.availableParallelism();
}

/** Starts the named parts side by side; when one cannot be started the others are closed again. */
export async function startParts<N extends PartName>(
  bundle: Bundle,
  names: readonly N[],
  { threads, device, onDeath }: PartOptions,
): Promise<Readonly<Record<N, ModelPart>>> {
  const started = await Promise.allSettled(
    names.map((name) => {
      const { title, graphs } = KINDS[name];
      return startModelPart({
        name: title,
        bundle,
        graphs,
        ...partSetup(name, threads),
        device,
        onDeath: (error) => onDeath?.(title, error),
      });
    }),
  );
  const parts = Object.fromEntries(
    started.flatMap((outcome, position) =>
      outcome.status === 'fulfilled' ? [[names[position], outcome.value] as const] : [],
    ),
  ) as Record<N, ModelPart>;
  const failed = started.find((outcome) => outcome.status === 'rejected');
  if (failed === undefined) return parts;
  await closeParts(parts);
  throw failed.reason;
}

export async function closeParts(parts: Readonly<Partial<Record<PartName, ModelPart>>>): Promise<void> {
  await Promise.all(Object.values(parts).map((part) => part.close()));
}
