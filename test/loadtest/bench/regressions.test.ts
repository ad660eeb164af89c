import assert from 'node:assert/strict';
import { test } from 'node:test';
import { summarise } from '../../../loadtest/bench/measure.ts';
import { compareBenches } from '../../../loadtest/bench/regressions.ts';
import { BENCH_FORMAT, type BenchReport, type FigureDescription } from '../../../loadtest/bench/report.ts';

const TIME: FigureDescription = { id: 'time', title: 'time', unit: 'ratio', better: 'lower', goal: 1.1 };
const RATE: FigureDescription = { id: 'rate', title: 'rate', unit: 'ratio', better: 'higher', goal: 0.9 };

test('a figure is judged by the median of its rounds, in the direction of its goal', () => {
  const rounds = [1.4, 1, 1.1].map((value) => ({ value, parts: { service_ms: 10 * value } }));
  const time = summarise(TIME, rounds);
  assert.deepEqual(time.value, { min: 1, median: 1.1, max: 1.4 });
  assert.deepEqual(time.parts['service_ms'], { min: 10, median: 11, max: 14 });
  assert.equal(time.met, true);
  assert.equal(summarise(TIME, [{ value: 1.2, parts: {} }]).met, false);
  assert.equal(summarise(RATE, [{ value: 1.2, parts: {} }]).met, true);
});

test('a change is told where the rounds of both runs do not overlap, and is bad or good by the goal', () => {
  const earlier = report({ time: [1, 1.1, 1.2], rate: [0.8, 0.85, 0.9] });
  const verdicts = (now: BenchReport) => compareBenches(earlier, now).figures.map(({ id, verdict }) => [id, verdict]);
  assert.deepEqual(verdicts(report({ time: [1.15, 1.3, 1.4], rate: [0.88, 0.95, 0.99] })), [
    ['time', 'within noise'],
    ['rate', 'within noise'],
  ]);
  assert.deepEqual(verdicts(report({ time: [1.3, 1.4, 1.5], rate: [0.91, 0.95, 0.99] })), [
    ['time', 'regression'],
    ['rate', 'improvement'],
  ]);
  assert.deepEqual(verdicts(report({ time: [0.7, 0.8, 0.9], rate: [0.5, 0.6, 0.7] })), [
    ['time', 'improvement'],
    ['rate', 'regression'],
  ]);
  assert.deepEqual(verdicts(report({ time: [9], rate: [0.1, 0.1] })), [
    ['time', 'not told'],
    ['rate', 'not told'],
  ]);
});

test('what differs between two runs besides the code is told', () => {
  const earlier = report({ time: [1], rate: [1] });
  const now = { ...earlier, machine: { ...earlier.machine, node: 'v22.0.0' }, warnings: ['it was busy'] };
  assert.deepEqual(compareBenches(earlier, now).warnings, [
    'Node: "v20.18.1" then, "v22.0.0" now',
    `run of ${now.startedAt}: it was busy`,
  ]);
});

function report(values: { readonly time: readonly number[]; readonly rate: readonly number[] }): BenchReport {
  const samples = (list: readonly number[]) => list.map((value) => ({ value, parts: {} }));
  return {
    format: BENCH_FORMAT,
    startedAt: '2026-01-01T00:00:00.000Z',
    git: null,
    machine: {
      cpu: 'some CPU',
      cores: 2,
      memoryGiB: 8,
      platform: 'linux x64',
      node: 'v20.18.1',
      loadBefore: 0,
      instructionSets: ['avx2'],
      onnxruntime: '1.30.0',
    },
    settings: { size: 'full', rounds: 3, quick: false, covers: 1, restartCovers: 1, rerankK: 1 },
    figures: [summarise(TIME, samples(values.time)), summarise(RATE, samples(values.rate))],
    failed: {},
    warnings: [],
  };
}
