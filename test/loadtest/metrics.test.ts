import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseEventLoopDelay } from '../../loadtest/metrics.ts';

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
