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

/** Mean of each figure. */
export type MeanAgreement = { readonly [Figure in keyof Agreement]: number | undefined };

/** Each figure is averaged over the queries that have it, as NDCG needs judgements; undefined where none has. */
export function meanAgreement(agreements: readonly Agreement[]): MeanAgreement {
  const meanOf = (figure: keyof Agreement): number | undefined => {
    const values = agreements.map((agreement) => agreement[figure]).filter((value) => value !== undefined);
    return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0) / values.length;
  };
  return {
    overlap: meanOf('overlap'),
    rbo: meanOf('rbo'),
    tau: meanOf('tau'),
    ndcgA: meanOf('ndcgA'),
    ndcgB: meanOf('ndcgB'),
  };
}
