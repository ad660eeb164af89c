/** How much two rankings of one query agree; each is a list of cover ids, best first, every id once. */

/** Share of the first `k` that both have; of shorter lists, of as many as the longer one has. 1 where both are empty. */
export function overlapAt(a: readonly string[], b: readonly string[], k: number): number {
  const depth = Math.min(k, Math.max(a.length, b.length));
  if (depth === 0) return 1;
  return shared(a.slice(0, depth), b.slice(0, depth)) / depth;
}

/** The weight of a rank falls by this factor from one to the next: the first ten have 86 % of it. */
const PERSISTENCE = 0.9;

/**
 * Rank-biased overlap, extrapolated from the depth that both lists have (Webber, Moffat and Zobel 2010, equation 30):
 * RBO = (X_k / k) p^k + (1 - p) / p · Σ_{d=1..k} (X_d / d) p^d, where X_d is the overlap of the first d.
 */
export function rankBiasedOverlap(a: readonly string[], b: readonly string[], p = PERSISTENCE): number {
  const depth = Math.min(a.length, b.length);
  if (depth === 0) return a.length === b.length ? 1 : 0;
  const seenA = new Set<string>();
  const seenB = new Set<string>();
  let overlap = 0;
  let sum = 0;
  for (let d = 1; d <= depth; d++) {
    const fromA = a[d - 1] as string;
    const fromB = b[d - 1] as string;
    overlap += Number(fromA === fromB || seenB.has(fromA)) + Number(fromA !== fromB && seenA.has(fromB));
    seenA.add(fromA);
    seenB.add(fromB);
    sum += (overlap / d) * p ** d;
  }
  return (overlap / depth) * p ** depth + ((1 - p) / p) * sum;
}

/** Kendall's τ over the ids that both have: 1 the same order, -1 the reverse. Undefined with fewer than two. */
export function kendallTau(a: readonly string[], b: readonly string[]): number | undefined {
  const placeInB = new Map(b.map((id, place) => [id, place]));
  const places = a.flatMap((id) => placeInB.get(id) ?? []);
  const pairs = (places.length * (places.length - 1)) / 2;
  if (pairs === 0) return undefined;
  let agreeing = 0;
  for (let i = 0; i < places.length; i++) {
    for (let j = i + 1; j < places.length; j++) agreeing += (places[i] as number) < (places[j] as number) ? 1 : -1;
  }
  return agreeing / pairs;
}

/**
 * NDCG of the first `k`: gain 2^grade - 1, discount log2(rank + 1), the ideal that of everything judged for the query.
 * A cover that nobody judged gains nothing. Undefined where nothing with a grade above 0 was judged.
 */
export function ndcgAt(ranked: readonly string[], grades: ReadonlyMap<string, number>, k: number): number | undefined {
  const ideal = dcg([...grades.values()].sort((x, y) => y - x).slice(0, k));
  if (ideal === 0) return undefined;
  return dcg(ranked.slice(0, k).map((id) => grades.get(id) ?? 0)) / ideal;
}

function dcg(grades: readonly number[]): number {
  return grades.reduce((sum, grade, place) => sum + (2 ** grade - 1) / Math.log2(place + 2), 0);
}

function shared(a: readonly string[], b: readonly string[]): number {
  const inB = new Set(b);
  return a.filter((id) => inB.has(id)).length;
}
