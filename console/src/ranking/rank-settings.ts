import type { RankRequest, Settings, Weights } from '../service/types.ts';

/** What a person sets for a ranking; a number that is undefined has the service's default. */
export interface RankSettings {
  readonly topN: number;
  readonly recallK: number | undefined;
  readonly rerankK: number | undefined;
  readonly deadlineMs: number;
  /** Undefined: the weights of the service. */
  readonly weights: Weights | undefined;
  /** Name of another service; undefined for this one. */
  readonly service: string | undefined;
}

/** Longer than the service's default: who looks at a page would rather wait than see a ranking cut short. */
const DEADLINE_MS = 3_000;

export const FIRST_SETTINGS: RankSettings = {
  topN: 24,
  recallK: undefined,
  rerankK: undefined,
  deadlineMs: DEADLINE_MS,
  weights: undefined,
  service: undefined,
};

export function rankRequest(query: string, settings: RankSettings): RankRequest {
  const { topN, recallK, rerankK, deadlineMs, weights } = settings;
  return {
    query,
    top_n: topN,
    ...(recallK === undefined ? {} : { recall_k: recallK }),
    ...(rerankK === undefined ? {} : { rerank_k: rerankK }),
    deadline_ms: deadlineMs,
    ...(weights === undefined ? {} : { weights: { ...weights } }),
    include: ['cover', 'signals', 'timings'],
  };
}

export function rankPath({ service }: RankSettings): string {
  return service === undefined ? '/rank' : `/services/${encodeURIComponent(service)}/rank`;
}

/** The numbers that a ranking works with, defaults filled in as the service does. */
export function effectiveDepths(
  { topN, recallK, rerankK }: RankSettings,
  { defaults }: Settings,
): { readonly recallK: number; readonly rerankK: number } {
  const recall = recallK ?? Math.max(defaults.recall_k, topN);
  return { recallK: recall, rerankK: rerankK ?? Math.min(defaults.rerank_k, recall) };
}
