import type { Random } from '../../../loadtest/random.ts';
import type { DurableStep } from '../../../src/store/disk/durable-steps.ts';

/** Steps of a service that serves. */
export const SERVICE_STEPS = [
  'writes committed',
  'graph written',
  'graph renamed',
  'graph replaced',
  'log trimmed',
  'graph rebuilt',
  'snapshot copied',
  'snapshot complete',
  'snapshot named',
] as const satisfies DurableStep[];
/** Steps of commands: on a folder of their own, and of a rebuild between two lives of the service. */
export const COMMAND_STEPS = [
  'restore copied',
  'migration complete',
  'restore complete',
  'closed mark left',
  'closed mark taken',
] as const satisfies DurableStep[];
const AT_RANDOM = 5;
const MOST_TIMES = 3;

/** How one life of the service ends. */
export type PlannedKill =
  | { readonly at: 'random' }
  /** When it comes to the step for the `times`-th time in one thread. */
  | { readonly at: DurableStep; readonly times: number };

/**
 * One kill after the other, without end: every step once and some at random, shuffled, then the same again in another
 * order. The first is one at random, since the first life has the covers to write that the others work on.
 */
export function* planKills(random: Random): Generator<PlannedKill, never> {
  yield { at: 'random' };
  for (;;) {
    const round = [...SERVICE_STEPS, ...new Array<'random'>(AT_RANDOM).fill('random')];
    for (const at of shuffled(round, random)) {
      yield at === 'random' ? { at } : { at, times: 1 + Math.floor(random() ** 2 * MOST_TIMES) };
    }
  }
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  const keys = new Map(items.map((_item, place) => [place, random()]));
  return [...keys].sort(([, a], [, b]) => a - b).map(([place]) => items[place] as T);
}
