import {
  type Axis,
  CHART,
  frame,
  legend,
  lineChart,
  PLOT,
  px,
  type Series,
  type Tick,
} from '../../src/eval/report/html/chart.ts';
import { escapeHtml } from '../../src/eval/report/html/escape.ts';
import { linearScale, linearTicks, logScale, logTicks } from '../../src/eval/report/html/scale.ts';
import { formatMs, formatNumber } from '../format.ts';
import type { CurvePoint, Report, TimelinePoint } from '../report.ts';

/** A latency below which differences mean nothing: no logarithmic axis starts lower. */
const LEAST_MS = 0.1;
const NINES = [0, 90, 99, 99.9, 99.99, 99.999];
const BAR = { height: 26, gap: 14, labelWidth: 118 } as const;

/** Latency by percentile, the axis stretched so that each further nine takes as much room as the one before. */
export function percentilePlot(now: readonly CurvePoint[], earlier?: readonly CurvePoint[]): string {
  const curves = [
    { name: 'this run', className: 'c1', curve: now },
    ...(earlier === undefined ? [] : [{ name: 'earlier run', className: 'c2', curve: earlier }]),
  ];
  const nines = (percentile: number): number => -Math.log10(1 - percentile / 100);
  const last = Math.max(1, ...curves.flatMap(({ curve }) => curve.map(({ percentile }) => nines(percentile))));
  const x: Axis = {
    scale: linearScale([0, last], PLOT.x),
    ticks: NINES.filter((percentile) => nines(percentile) <= last + 1e-9).map((percentile) => ({
      value: nines(percentile),
      label: percentile === 0 ? '0' : `${percentile} %`,
    })),
    label: 'share of answers that took at most this long',
  };
  const y = logMsAxis(curves.flatMap(({ curve }) => curve.map(({ ms }) => ms)));
  const series = curves.map(
    ({ curve, ...rest }): Series => ({
      ...rest,
      points: curve.map(({ percentile, ms }) => ({ x: nines(percentile), y: ms })),
    }),
  );
  return lineChart('Latency by percentile', x, y, series);
}

/** Answers, refusals and failures in each second. */
export function throughputPlot(timeline: readonly TimelinePoint[]): string {
  const line = (name: string, className: string, read: (point: TimelinePoint) => number): Series => ({
    name,
    className,
    points: timeline.map((point) => ({ x: point.second, y: read(point) })),
  });
  const all = [
    line('answered', 'c1', ({ answered }) => answered),
    line('shed (429)', 'c2', ({ shed }) => shed),
    line('failed', 'c3', ({ failed }) => failed),
  ];
  const series = all.filter(({ points }, index) => index === 0 || points.some(({ y }) => y > 0));
  const top = linearTicks(Math.max(1, ...series.flatMap(({ points }) => points.map(({ y }) => y))));
  const y: Axis = {
    scale: linearScale([0, top.at(-1) ?? 1], PLOT.y),
    ticks: top.map((value) => ({ value, label: formatNumber(value) })),
    label: 'answers a second',
  };
  return lineChart('Throughput over time', secondsAxis(timeline), y, series);
}

/** Median and p99 in each second; seconds without an answer are left out. */
export function latencyPlot(timeline: readonly TimelinePoint[]): string {
  const line = (name: string, className: string, read: (point: TimelinePoint) => number | null): Series => ({
    name,
    className,
    points: timeline.flatMap((point) => {
      const ms = read(point);
      return ms === null ? [] : [{ x: point.second, y: ms }];
    }),
  });
  const series = [line('median', 'c1', ({ p50Ms }) => p50Ms), line('p99', 'c2', ({ p99Ms }) => p99Ms)];
  const y = logMsAxis(series.flatMap(({ points }) => points.map(({ y: ms }) => ms)));
  return lineChart('Latency over time', secondsAxis(timeline), y, series);
}

/** One bar per kind of request, cut into the mean times of its stages. */
export function stagePlot(kinds: Report['kinds']): string {
  const bars = Object.entries(kinds).map(([name, { stagesMs }]) => ({
    name,
    stages: Object.entries(stagesMs).filter(([stage]) => stage !== 'total'),
    totalMs: stagesMs['total']?.mean ?? 0,
  }));
  const stageNames = [...new Set(bars.flatMap(({ stages }) => stages.map(([stage]) => stage)))];
  if (stageNames.length === 0) return '<p>No answer carried Server-Timing.</p>';
  const className = (stage: string): string => `c${stageNames.indexOf(stage) + 1}`;
  const longest = Math.max(...bars.map(({ stages }) => stages.reduce((sum, [, { mean }]) => sum + mean, 0)), 0.001);
  const ticks = linearTicks(longest);
  const scale = linearScale([0, ticks.at(-1) ?? 1], [BAR.labelWidth, CHART.width - 90]);

  const rows = bars.map(({ name, stages, totalMs }, index) => {
    const y = CHART.top + index * (BAR.height + BAR.gap);
    let endMs = 0;
    const pieces = stages.map(([stage, { mean }]) => {
      const from = endMs;
      endMs += mean;
      const width = scale(endMs) - scale(from);
      const hint = escapeHtml(`${stage}: ${formatMs(mean)}`);
      return `<rect class="bar ${className(stage)}" x="${px(scale(from))}" y="${y}" width="${px(width)}" height="${BAR.height}"><title>${hint}</title></rect>`;
    });
    const middle = y + BAR.height / 2;
    return (
      `<text class="tick" x="${BAR.labelWidth - 10}" y="${middle}" dy="0.32em" text-anchor="end">${escapeHtml(name)}</text>` +
      `${pieces.join('')}<text class="tick" x="${px(scale(endMs) + 8)}" y="${middle}" dy="0.32em">${formatMs(totalMs)}</text>`
    );
  });
  const bottom = CHART.top + bars.length * (BAR.height + BAR.gap);
  const axis = ticks.map(
    (tick) =>
      `<line class="grid" x1="${px(scale(tick))}" x2="${px(scale(tick))}" y1="${CHART.top - 6}" y2="${bottom}"/>` +
      `<text class="tick" x="${px(scale(tick))}" y="${bottom + 16}" text-anchor="middle">${formatNumber(tick)}</text>`,
  );
  const label = `<text class="axis" x="${CHART.width / 2}" y="${bottom + 38}" text-anchor="middle">mean milliseconds inside the service</text>`;
  return (
    frame('Mean time by stage', `${axis.join('')}${rows.join('')}${label}`, bottom + 46) +
    legend(stageNames.map((stage) => ({ name: stage, className: className(stage) })))
  );
}

function secondsAxis(timeline: readonly TimelinePoint[]): Axis {
  const last = Math.max(1, timeline.length - 1);
  const ticks = linearTicks(last, 8).filter((tick) => Number.isInteger(tick) && tick <= last);
  return {
    scale: linearScale([0, last], PLOT.x),
    ticks: ticks.map((value): Tick => ({ value, label: String(value) })),
    label: 'seconds since the start of the window',
  };
}

function logMsAxis(values: readonly number[]): Axis {
  const positive = values.filter((value) => value > 0);
  const least = positive.length === 0 ? LEAST_MS : Math.max(LEAST_MS, Math.min(...positive));
  const ticks = logTicks(least, Math.max(LEAST_MS * 10, ...positive));
  return {
    scale: logScale([ticks[0] ?? 1, ticks.at(-1) ?? 10], PLOT.y),
    ticks: ticks.map((value) => ({ value, label: formatNumber(value) })),
    label: 'milliseconds (logarithmic)',
  };
}
