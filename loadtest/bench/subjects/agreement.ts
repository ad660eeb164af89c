import { type RankParameters, rankBody } from '../../mix.ts';
import type { LoadTarget } from './load-target.ts';

/** How far two services' answers to the same queries lie apart. */
export interface Agreement {
  readonly queries: number;
  /** Mean share of the best covers of one that are among the best of the other. */
  readonly overlap: number;
  /** Largest difference of a signal of a cover that both name. */
  readonly cosine: number;
  readonly ocrSemantic: number;
}

interface Hit {
  readonly id: string;
  readonly signals: Readonly<Record<string, number>>;
}

const QUERIES = 20;

/** Asks both the same, one query after the other. */
export async function compareAnswers(
  one: LoadTarget,
  other: LoadTarget,
  nextQuery: () => string,
  parameters: RankParameters,
): Promise<Agreement> {
  let shared = 0;
  let named = 0;
  const apart = { cosine: 0, ocr_semantic: 0 };
  for (let query = 0; query < QUERIES; query++) {
    const body = rankBody(nextQuery(), parameters);
    const [first, second] = await Promise.all([hitsOf(one, body), hitsOf(other, body)]);
    const known = new Map(second.map((hit) => [hit.id, hit.signals]));
    named += first.length;
    for (const { id, signals } of first) {
      const others = known.get(id);
      if (others === undefined) continue;
      shared += 1;
      for (const name of ['cosine', 'ocr_semantic'] as const) {
        const [here, there] = [signals[name], others[name]];
        // The last of the reranked may be another cover on the other side.
        if (here === undefined || there === undefined) continue;
        apart[name] = Math.max(apart[name], Math.abs(here - there));
      }
    }
  }
  return { queries: QUERIES, overlap: shared / named, cosine: apart.cosine, ocrSemantic: apart.ocr_semantic };
}

async function hitsOf({ client }: LoadTarget, body: string): Promise<readonly Hit[]> {
  const answer = await client.post('/rank', body);
  if (answer.status !== 200) throw new Error(`/rank answered ${answer.status}: ${answer.body.slice(0, 300)}`);
  return (JSON.parse(answer.body) as { results: readonly Hit[] }).results;
}
