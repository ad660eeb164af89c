import type { BundleManifest } from '../core/bundle-format.ts';
import { failure } from '../core/errors.ts';
import type { FusionWeights } from './fuse.ts';

/** The bundle whose towers recall and the one whose cross-encoder reranks; often the same. */
export interface RankingBundles {
  readonly recall: BundleManifest;
  readonly rerank: BundleManifest;
}

/** Those that settings name, in which '' as `rerank_model` is the same one. */
export function rankingBundles(
  { model, rerank_model }: { readonly model: string; readonly rerank_model: string },
  read: (folder: string) => BundleManifest,
): RankingBundles {
  const recall = read(model);
  return { recall, rerank: rerank_model === '' ? recall : read(rerank_model) };
}

/** Signals that need no reranker. */
const TOWER_SIGNALS: ReadonlySet<string> = new Set(['cosine', 'ocr_presence']);

/** With two bundles: what the first one's towers say of a cover, and what the second one's reranker adds. */
export function offeredSignals({ recall, rerank }: RankingBundles): readonly string[] {
  if (recall === rerank) return recall.signals;
  const ofTowers = recall.signals.filter((signal) => TOWER_SIGNALS.has(signal));
  return [...new Set([...ofTowers, ...rerank.signals])];
}

/**
 * The weights that are configured, or the bundles' own where none are: of each signal those of the bundle that gives it.
 * Fails with `invalid_config` where a weight is for a signal that neither offers.
 */
export function fusionWeights(configured: FusionWeights, bundles: RankingBundles): FusionWeights {
  const offered = offeredSignals(bundles);
  if (Object.keys(configured).length === 0) return ownWeights(bundles, offered);
  const unknown = Object.keys(configured).filter((signal) => !offered.includes(signal));
  if (unknown.length === 0) return configured;
  throw failure(
    'invalid_config',
    `fusion weighs ${unknown.join(', ')}, but what is loaded offers ${offered.join(', ')}.`,
  );
}

function ownWeights({ recall, rerank }: RankingBundles, offered: readonly string[]): FusionWeights {
  const weights: Record<string, number> = {};
  for (const signal of offered) {
    const { fusion } = TOWER_SIGNALS.has(signal) && recall.signals.includes(signal) ? recall : rerank;
    const weight = fusion[signal];
    if (weight !== undefined) weights[signal] = weight;
  }
  return weights;
}
