import { kendallTau, ndcgAt, overlapAt, rankBiasedOverlap } from '../ranking/agreement.ts';
import type { Grades } from '../service/judgements.ts';
import type { Ranking } from '../service/types.ts';

/** How two rankings of one query agree, and how good each is where the query was judged. */
export interface Agreement {
  readonly overlap: number;
  readonly rbo: number;
  readonly tau: number | undefined;
  readonly ndcgA: number | undefined;
  readonly ndcgB: number | undefined;
}

/** Depth of overlap and NDCG. */
export const DEPTH = 10;

export function agreementOf(a: Ranking, b: Ranking, grades: Grades | undefined): Agreement {
  const idsA = a.results.map(({ id }) => id);
  const idsB = b.results.map(({ id }) => id);
  const ndcg = (ids: readonly string[]) => (grades === undefined ? undefined : ndcgAt(ids, grades, DEPTH));
  return {
    overlap: overlapAt(idsA, idsB, DEPTH),
    rbo: rankBiasedOverlap(idsA, idsB),
    tau: kendallTau(idsA, idsB),
    ndcgA: ndcg(idsA),
    ndcgB: ndcg(idsB),
  };
}

/** Means over those that have the figure; undefined where none has. */
export function meanAgreement(agreements: readonly Agreement[]): Partial<Agreement> {
  const mean = (read: (agreement: Agreement) => number | undefined): number | undefined => {
    const values = agreements.map(read).filter((value) => value !== undefined);
    return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0) / values.length;
  };
  return {
    ...defined(
      'overlap',
      mean(({ overlap }) => overlap),
    ),
    ...defined(
      'rbo',
      mean(({ rbo }) => rbo),
    ),
    tau: mean(({ tau }) => tau),
    ndcgA: mean(({ ndcgA }) => ndcgA),
    ndcgB: mean(({ ndcgB }) => ndcgB),
  };
}

function defined<K extends string>(name: K, value: number | undefined): { [key in K]?: number } {
  return value === undefined ? {} : ({ [name]: value } as { [key in K]?: number });
}
