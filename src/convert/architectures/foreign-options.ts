import { failure } from '../../core/errors.ts';
import type { PlanOptions } from './bundle-plan.ts';

/** Throws `invalid_config` when an option was given that has no meaning for the architecture. */
export function refuseOption(option: string, given: unknown, reason: string): void {
  if (given !== undefined) throw failure('invalid_config', `${option} does not apply: ${reason}.`);
}

/** For models that have no reranker: refuses the options that are for one. */
export function refuseForReranker({ tokenBits, poolTokens, ocrContextLength }: PlanOptions): void {
  refuseOption('--token-bits', tokenBits, 'the model has no reranker');
  refuseOption('--pool-tokens', poolTokens, 'the model has no reranker');
  refuseOption('--ocr-context-length', ocrContextLength, 'the model has no reranker');
}
