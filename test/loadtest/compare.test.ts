import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ComparedFigure, compareReports } from '../../loadtest/compare.ts';
import type { Report } from '../../loadtest/report.ts';
import { sampleReport } from './sample-report.ts';

test('ratios are now to earlier', () => {
  const earlier = sampleReport({ latencyMs: () => 8, perSecond: 20 });
  const now = sampleReport({ latencyMs: () => 4, perSecond: 30 });
  assert.equal(figureOf('p50', earlier, now).ratio, 0.5);
  assert.equal(figureOf('p50', earlier, now).better, 'lower');
  assert.equal(figureOf('throughput', earlier, now).ratio, 1.5);
  assert.equal(figureOf('throughput', earlier, now).better, 'higher');
  assert.equal(figureOf('event-loop delay p99', earlier, now).ratio, 1);
});

test('noise is two standard errors of the ratio of means', () => {
  // Medians of 9 and 11 ms in turn: of ten, the mean is 10 and the standard error sqrt(10/9)/sqrt(10) = 1/3.
  const swinging = sampleReport({ latencyMs: (second) => (second % 2 === 0 ? 9 : 11) });
  const steady = sampleReport({ latencyMs: () => 10 });
  const [one, two] = [figureOf('p50', steady, swinging), figureOf('p50', swinging, swinging)];
  assert.ok(Math.abs((one.noise ?? 0) - 2 / 30) < 1e-3, `${one.noise}`);
  assert.ok(Math.abs((two.noise ?? 0) - (2 * Math.SQRT2) / 30) < 1e-3, `${two.noise}`);
  assert.equal(figureOf('p50', steady, steady).noise, 0);
});

test('no noise is claimed for a run too short to show its spread, nor for the extremes', () => {
  const short = sampleReport({ seconds: 2 });
  assert.equal(figureOf('p50', short, short).noise, null);
  assert.equal(figureOf('max', sampleReport(), sampleReport()).noise, null);
});

test('no ratio to nothing', () => {
  const report = sampleReport();
  assert.equal(figureOf('degraded', report, report).ratio, null);
});

test('what makes two runs hard to compare is named', () => {
  const earlier = sampleReport();
  assert.deepEqual(compareReports(earlier, sampleReport()).warnings, []);
  const now: Report = {
    ...earlier,
    machine: { ...earlier.machine, cores: 64 },
    load: { ...earlier.load, rerankK: 10, seed: 99 },
    git: { commit: 'x', dirty: true },
  };
  const { warnings } = compareReports(earlier, now);
  assert.equal(warnings.length, 3);
  assert.match(warnings[0] ?? '', /^CPU: .*2 cores" then, .*64 cores" now$/);
  assert.equal(warnings[1], 'rerankK: 50 then, 10 now');
  assert.match(warnings[2] ?? '', /uncommitted changes$/);
});

function figureOf(name: string, earlier: Report, now: Report): ComparedFigure {
  const figure = compareReports(earlier, now).figures.find((candidate) => candidate.name === name);
  assert.ok(figure);
  return figure;
}
