import { failure } from '../../core/errors.ts';
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import type { BundlePlan, PlanOptions } from './bundle-plan.ts';
import { type CanonicalWeights, canonicalWeights } from './canonical-names.ts';
import { planR2d2 } from './r2d2.ts';
import { isR2d2 } from './r2d2-sizes.ts';
import { planUniclip } from './uniclip.ts';
import { uniclipViews } from './uniclip-names.ts';
import { isUniclip } from './uniclip-sizes.ts';

/** A family of models that checkpoints are converted from. */
interface Architecture {
  /** As messages name them. */
  readonly models: readonly string[];
  /** The checkpoint's tensors under the names that the rest of the family's code knows. */
  weights(checkpoint: Checkpoint): CanonicalWeights;
  recognises(weights: CanonicalWeights): boolean;
  plan(weights: CanonicalWeights, options: PlanOptions): BundlePlan;
}

const ARCHITECTURES = {
  uniclip: {
    models: ['UniCLIP', 'CN-CLIP', 'QA-CLIP'],
    weights: (checkpoint) => canonicalWeights(checkpoint, uniclipViews),
    recognises: isUniclip,
    plan: planUniclip,
  },
  r2d2: {
    models: ['R2D2', 'PRD2'],
    weights: (checkpoint) => canonicalWeights(checkpoint),
    recognises: isR2d2,
    plan: planR2d2,
  },
} as const satisfies Readonly<Record<string, Architecture>>;

export type ArchitectureName = keyof typeof ARCHITECTURES;
export const ARCHITECTURE_NAMES = Object.keys(ARCHITECTURES) as ArchitectureName[];

/**
 * Works out the bundle that a checkpoint becomes; `name` undefined means that its tensors tell. Throws
 * `invalid_checkpoint` for what is not recognised or does not fit, `invalid_config` when an option does not fit.
 */
export function planBundle(
  checkpoint: Checkpoint,
  name: ArchitectureName | undefined,
  options: PlanOptions,
): BundlePlan {
  const candidates: readonly Architecture[] = name === undefined ? Object.values(ARCHITECTURES) : [ARCHITECTURES[name]];
  for (const architecture of candidates) {
    const weights = architecture.weights(checkpoint);
    if (architecture.recognises(weights)) return architecture.plan(weights, options);
  }
  const models = candidates.flatMap((architecture) => architecture.models);
  const roots = [...new Set(checkpoint.names.map((stored) => stored.split('.').slice(0, 2).join('.')))];
  throw failure(
    'invalid_checkpoint',
    `The architecture is not recognised: this is no ${models.slice(0, -1).join(', ')} or ${models.at(-1)} model. ` +
      `Its ${checkpoint.names.length} tensors are under ${roots.slice(0, 12).join(', ')}${roots.length > 12 ? ', …' : ''}.`,
  );
}
