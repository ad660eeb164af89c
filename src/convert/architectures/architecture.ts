import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import type { BundlePlan, PlanOptions } from './bundle-plan.ts';
import type { CanonicalWeights } from './canonical-names.ts';

/** A family of models that checkpoints are converted from. */
export interface Architecture {
  /** As messages name them. */
  readonly models: readonly string[];
  /** The checkpoint's tensors under the names that the rest of the family's code knows. */
  weights(checkpoint: Checkpoint): CanonicalWeights;
  /** Canonical names of tensors that all of them have to be there to recognise it. */
  readonly marks: readonly string[];
  plan(weights: CanonicalWeights, options: PlanOptions): BundlePlan;
}
