import { failure } from '../../core/errors.ts';

/** Throws `invalid_config` when an option was given that has no meaning for the architecture. */
export function refuseOption(option: string, given: unknown, reason: string): void {
  if (given !== undefined) throw failure('invalid_config', `${option} does not apply: ${reason}.`);
}
