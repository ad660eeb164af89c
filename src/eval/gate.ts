import { type Static, Type } from 'typebox';
import Schema from 'typebox/schema';
import { failure } from '../core/errors.ts';
import type { QueryMetric } from './metrics/query-metric.ts';
import { isRankFigure } from './metrics/retrieval.ts';
import type { Interval, ResamplingOptions } from './statistics/bootstrap.ts';
import { comparePaired } from './statistics/paired.ts';

/** The part of a report's JSON that a gate reads; the rest of the report may be there or not. */
const Numbers = Type.Array(Type.Number());
const Baseline = Type.Object({
  format: Type.Literal(1),
  kind: Type.Union([Type.Literal('ranking'), Type.Literal('retrieval'), Type.Literal('matching')]),
  estimates: Type.Array(
    Type.Object({
      name: Type.String(),
      value: Type.Union([Type.Number(), Type.Null()]),
      interval: Type.Union([Type.Object({ low: Type.Number(), high: Type.Number() }), Type.Null()]),
    }),
  ),
  per_query: Type.Optional(
    Type.Object({
      queries: Type.Array(Type.String()),
      metrics: Type.Array(
        Type.Object({
          name: Type.String(),
          numerator: Numbers,
          denominator: Numbers,
          min_denominator: Type.Number(),
        }),
      ),
    }),
  ),
});

export type Baseline = Static<typeof Baseline>;

/** What was measured now. */
export interface Measured {
  readonly kind: Baseline['kind'];
  readonly estimates: readonly { readonly name: string; readonly value: number | null }[];
  readonly perQuery?: { readonly queries: readonly string[]; readonly metrics: readonly QueryMetric[] };
}

export interface GateCheck {
  readonly name: string;
  readonly baseline: number;
  readonly now: number | null;
  readonly fell: boolean;
  /** `paired`: query by query; `interval`: against the baseline's own interval, where the queries are not the same. */
  readonly method: 'paired' | 'interval';
  /** What the value now (interval) or the difference (paired) was held against. */
  readonly noise: Interval | null;
}

/** Reads the JSON of an earlier report. Fails with `invalid_request` on anything else. */
export function readBaseline(text: string, name: string): Baseline {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw failure('invalid_request', `${name} is not JSON.`, { cause });
  }
  if (Schema.Check(Baseline, value)) return value;
  throw failure('invalid_request', `${name} is not the JSON of an evaluation report of this version.`);
}

/**
 * Holds every metric of the baseline against what was measured now. On the same queries a metric fell when the whole
 * interval of the paired difference lies below 0; on others, when it lies outside the baseline's interval on the wrong
 * side. A metric that can no longer be told fell too. Fails with `invalid_request` where the two are of different kinds.
 */
export function checkGate(baseline: Baseline, now: Measured, options: ResamplingOptions): GateCheck[] {
  if (baseline.kind !== now.kind) {
    throw failure('invalid_request', `The baseline is of a ${baseline.kind} evaluation, this is one of ${now.kind}.`);
  }
  const pairs = samePairs(baseline, now);
  const differences = comparePaired(
    pairs.map(({ before }) => before),
    pairs.map(({ after }) => after),
    options,
  );
  return baseline.estimates.flatMap((estimate): GateCheck[] => {
    if (estimate.value === null) return [];
    const value = now.estimates.find(({ name }) => name === estimate.name)?.value ?? null;
    const paired = differences.find(({ name }) => name === estimate.name);
    const checked = { name: estimate.name, baseline: estimate.value, now: value };
    if (value === null) return [{ ...checked, fell: true, method: 'interval', noise: estimate.interval }];
    if (paired !== undefined && paired.interval !== null) {
      return [{ ...checked, fell: paired.interval.high < 0, method: 'paired', noise: paired.interval }];
    }
    const { low, high } = estimate.interval ?? { low: estimate.value, high: estimate.value };
    const fell = isRankFigure(estimate.name) ? value > high : value < low;
    return [{ ...checked, fell, method: 'interval', noise: estimate.interval }];
  });
}

/** Metrics of both on the baseline's order of queries; none where the queries are not the same. */
function samePairs({ per_query: before }: Baseline, { perQuery: now }: Measured) {
  if (before === undefined || now === undefined || before.queries.length !== now.queries.length) return [];
  const places = new Map(now.queries.map((query, place) => [query, place]));
  const order = before.queries.map((query) => places.get(query));
  if (order.some((place) => place === undefined)) return [];
  const inOrder = (values: Float64Array): Float64Array => Float64Array.from(order, (place) => values[place ?? 0] ?? 0);
  return before.metrics.flatMap((metric) => {
    const measured = now.metrics.find(({ name }) => name === metric.name);
    if (measured === undefined || metric.numerator.length !== order.length) return [];
    return [
      {
        before: {
          name: metric.name,
          numerator: Float64Array.from(metric.numerator),
          denominator: Float64Array.from(metric.denominator),
          minDenominator: metric.min_denominator,
        },
        after: {
          ...measured,
          numerator: inOrder(measured.numerator),
          denominator: inOrder(measured.denominator),
        },
      },
    ];
  });
}
