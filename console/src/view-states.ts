import type { Signal } from '@preact/signals';
import { type ComparisonRun, createComparisonRun } from './compare/comparison-run.ts';
import { type Adding, createAdding } from './covers/adding.ts';
import { createExplanation, type Explanation } from './explain/explanation.ts';
import { createJudging, type Judging } from './judge/judging.ts';
import { createQuerySet, type QuerySet } from './ranking/query-set.ts';
import { FIRST_SETTINGS } from './ranking/rank-settings.ts';
import { createRankedQuery, type RankedQuery } from './ranking/ranked-query.ts';
import type { ServiceClient } from './service/client.ts';
import type { Settings } from './service/types.ts';

/** What the views show. It outlives them: whoever looks at another view finds this one as it was. */
export interface ViewStates {
  readonly search: RankedQuery;
  readonly sides: readonly [RankedQuery, RankedQuery];
  readonly comparison: ComparisonRun;
  readonly judging: Judging;
  readonly querySets: { readonly comparison: QuerySet; readonly judging: QuerySet };
  readonly explanation: Explanation;
  readonly adding: Adding;
}

/** Covers that a comparison shows of each side at first: as many as its figures look at. */
const SIDE_TOP_N = 10;

export function createViewStates(client: ServiceClient, settings: Signal<Settings | undefined>): ViewStates {
  const createSide = (): RankedQuery => createRankedQuery(client, { ...FIRST_SETTINGS, topN: SIDE_TOP_N });
  return {
    search: createRankedQuery(client, FIRST_SETTINGS),
    sides: [createSide(), createSide()],
    comparison: createComparisonRun(client),
    judging: createJudging(client),
    querySets: { comparison: createQuerySet(), judging: createQuerySet() },
    explanation: createExplanation(client, settings),
    adding: createAdding(client, () => settings.value?.limits.image_bytes ?? Number.POSITIVE_INFINITY),
  };
}
