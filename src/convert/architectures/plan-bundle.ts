import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import type { Architecture } from './architecture.ts';
import type { BundlePlan, PlanOptions } from './bundle-plan.ts';
import { canonicalWeights } from './canonical-names.ts';
import { planR2d2 } from './r2d2.ts';
import { R2D2_MARKS } from './r2d2-sizes.ts';
import { planUniclip } from './uniclip.ts';
import { uniclipViews } from './uniclip-names.ts';
import { UNICLIP_MARKS } from './uniclip-sizes.ts';
import { unrecognised } from './unrecognised.ts';

const ARCHITECTURES = {
  uniclip: {
    models: ['UniCLIP', 'CN-CLIP', 'QA-CLIP'],
    weights: (checkpoint) => canonicalWeights(checkpoint, uniclipViews),
    marks: UNICLIP_MARKS,
    plan: planUniclip,
  },
  r2d2: {
    models: ['R2D2', 'PRD2'],
    weights: (checkpoint) => canonicalWeights(checkpoint),
    marks: R2D2_MARKS,
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
    if (architecture.marks.every((mark) => weights.has(mark))) return architecture.plan(weights, options);
  }
  throw unrecognised(checkpoint, candidates);
}
