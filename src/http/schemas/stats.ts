import { type Static, Type } from 'typebox';
import { mapOf, strict } from './common.ts';

const Count = Type.Integer({ minimum: 0 });
const Seconds = Type.Number({ minimum: 0 });
const Durations = strict({
  count: Count,
  sum_s: Seconds,
  buckets: Type.Array(strict({ le_s: Seconds, count: Count }), {
    description: 'Cumulative: how many took at most le_s seconds. More than the last bound took the rest of count.',
  }),
});

export const StatsAnswer = strict({
  uptime_s: Seconds,
  admission: mapOf(strict({ running: Count, waiting: Count }), { description: 'By class of work: rank, index.' }),
  rank: strict({
    latency: Durations,
    stages: mapOf(Durations),
    degraded: mapOf(Count, { description: 'Rankings that lost something, by `stage: reason`.' }),
  }),
  shed: mapOf(mapOf(Count), { description: 'Requests refused, by class of work and by the code of the refusal.' }),
  items: mapOf(Count, { description: 'Items of /index by outcome.' }),
});
export type StatsAnswer = Static<typeof StatsAnswer>;
