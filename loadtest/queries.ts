import type { Random } from './random.ts';

/** How many different queries count as repeated; well below the service's query cache. */
const REPEATED = 100;

export interface QuerySource {
  /** The queries that `repeated` draws from; each must be asked once before the measurement. */
  readonly primer: readonly string[];
  repeated(): string;
  /** A query that this source gave to nobody yet. */
  fresh(): string;
}

/**
 * Queries as people of the sample covers would ask them. Fresh ones are pairs of known queries, walked in an order that
 * visits each pair once; after the last one (n² of them) a number is added.
 */
export function createQuerySource(known: readonly string[], random: Random): QuerySource {
  const texts = [...new Set(known)];
  if (texts.length < 2) throw new Error('A load test needs at least two different queries.');
  const primer = shuffled(texts, random).slice(0, REPEATED);
  const pairs = texts.length ** 2;
  const stride = coprimeTo(pairs, Math.floor(random() * pairs));
  const offset = Math.floor(random() * pairs);
  let given = 0;

  return {
    primer,
    repeated: () => pick(primer, random),
    fresh() {
      const round = Math.floor(given / pairs);
      const pair = (offset + given * stride) % pairs;
      given += 1;
      const words = [texts[Math.floor(pair / texts.length)], texts[pair % texts.length]];
      return [...words, ...(round === 0 ? [] : [String(round)])].join(' ');
    },
  };
}

/** The first column of a file of judgements: `query \t cover \t grade`. */
export function parseQueries(qrels: string): string[] {
  const queries = qrels
    .split('\n')
    .map((line) => line.split('\t')[0]?.trim() ?? '')
    .filter((query) => query !== '');
  return [...new Set(queries)];
}

function pick<T>(items: readonly T[], random: Random): T {
  return items[Math.floor(random() * items.length)] as T;
}

/** Fisher and Yates. */
function shuffled<T>(items: readonly T[], random: Random): T[] {
  const order = [...items];
  for (let last = order.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [order[last], order[other]] = [order[other] as T, order[last] as T];
  }
  return order;
}

/** The first number from `start` on that shares no factor with `modulus`, so that its multiples visit every remainder. */
function coprimeTo(modulus: number, start: number): number {
  let candidate = Math.max(1, start);
  while (greatestCommonDivisor(candidate, modulus) !== 1) candidate += 1;
  return candidate;
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
