import { channel } from 'node:diagnostics_channel';

/**
 * The moments between which a crash could leave a data folder half-way. They are told on a diagnostics channel, in the
 * thread in which they happen and before anything follows: tests end the process there, and whoever traces can listen.
 */
export type DurableStep =
  | 'closed mark taken'
  | 'closed mark left'
  | 'writes committed'
  | 'graph written'
  | 'graph renamed'
  | 'graph replaced'
  | 'log trimmed'
  | 'graph rebuilt'
  | 'snapshot copied'
  | 'snapshot complete'
  | 'snapshot named'
  | 'restore copied'
  | 'restore complete'
  | 'migration complete';

export const DURABLE_STEPS = 'coverrank:store:step';

const steps = channel(DURABLE_STEPS);

export function reached(step: DurableStep): void {
  if (steps.hasSubscribers) steps.publish({ step });
}
