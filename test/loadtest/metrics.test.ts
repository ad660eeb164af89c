import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseEventLoopDelay, parseGcSeconds } from '../../loadtest/metrics.ts';

test('the delay of the event loop in milliseconds', () => {
  const text = [
    '# HELP coverrank_event_loop_delay_seconds Delay of the main thread since the last scrape.',
    '# TYPE coverrank_event_loop_delay_seconds gauge',
    'coverrank_event_loop_delay_seconds{quantile="0.5"} 0.000215',
    'coverrank_event_loop_delay_seconds{quantile="0.99"} 0.00561',
    'coverrank_event_loop_delay_seconds{quantile="1"} 1.9e-2',
    '',
  ].join('\n');
  assert.deepEqual(parseEventLoopDelay(text), { p50: 0.215, p99: 5.61, max: 19 });
});

test('null where a quantile is missing', () => {
  assert.equal(parseEventLoopDelay('coverrank_event_loop_delay_seconds{quantile="0.5"} 0\n'), null);
});

test('the time of all kinds of garbage collection, 0 before the first', () => {
  const text = [
    'nodejs_gc_duration_seconds_bucket{le="0.1",kind="minor"} 7',
    'nodejs_gc_duration_seconds_sum{kind="minor"} 0.25',
    'nodejs_gc_duration_seconds_sum{kind="major"} 0.5',
    'nodejs_gc_duration_seconds_count{kind="major"} 2',
    '',
  ].join('\n');
  assert.equal(parseGcSeconds(text), 0.75);
  assert.equal(parseGcSeconds(''), 0);
});
