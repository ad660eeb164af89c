import type { QuerySource } from './queries.ts';
import type { Random } from './random.ts';
import { RANK_KINDS, type RankKind } from './report.ts';

/** Relative weights of the kinds of request; kinds left out are not sent. */
export type Mix = Readonly<Partial<Record<RankKind, number>>>;

export interface RankRequest {
  readonly kind: RankKind;
  /** JSON for `POST /rank`. */
  readonly body: string;
}

export interface RankParameters {
  readonly topN: number;
  readonly recallK: number;
  /** Of the reranked kinds; the others ask for 0. */
  readonly rerankK: number;
  readonly deadlineMs: number;
}

/** `rank-fresh=3,rerank-fresh=1`; fails with a sentence that names what is wrong. */
export function parseMix(text: string): Mix {
  const mix: Partial<Record<RankKind, number>> = {};
  for (const part of text.split(',')) {
    const [name = '', weight = '', ...rest] = part.split('=').map((word) => word.trim());
    const kind = RANK_KINDS.find((known) => known === name);
    if (kind === undefined) throw new Error(`"${name}" is not a kind of request; there are ${RANK_KINDS.join(', ')}.`);
    if (rest.length > 0 || weight === '' || !(Number(weight) >= 0)) {
      throw new Error(`"${part.trim()}" needs a weight of 0 or more: ${kind}=1.`);
    }
    mix[kind] = Number(weight);
  }
  if (!Object.values(mix).some((weight) => weight > 0)) throw new Error('At least one weight must be above 0.');
  return mix;
}

/** Draws requests by the weights of the mix. */
export function createRequestSource(
  mix: Mix,
  queries: QuerySource,
  parameters: RankParameters,
  random: Random,
): () => RankRequest {
  const weighted = RANK_KINDS.flatMap((kind) => ((mix[kind] ?? 0) > 0 ? [{ kind, weight: mix[kind] ?? 0 }] : []));
  const total = weighted.reduce((sum, { weight }) => sum + weight, 0);

  function drawKind(): RankKind {
    let rest = random() * total;
    for (const { kind, weight } of weighted) {
      rest -= weight;
      if (rest < 0) return kind;
    }
    return (weighted.at(-1) as (typeof weighted)[number]).kind;
  }

  return () => {
    const kind = drawKind();
    const query = kind.endsWith('-fresh') ? queries.fresh() : queries.repeated();
    return {
      kind,
      body: rankBody(query, { ...parameters, rerankK: kind.startsWith('rerank') ? parameters.rerankK : 0 }),
    };
  };
}

export function rankBody(query: string, { topN, recallK, rerankK, deadlineMs }: RankParameters): string {
  return JSON.stringify({ query, top_n: topN, recall_k: recallK, rerank_k: rerankK, deadline_ms: deadlineMs });
}
