import type { Interval } from '../../statistics/bootstrap.ts';
import type { CalibrationBin, ScoreDistribution } from '../distribution.ts';
import { type Axis, CHART, frame, lineChart, PLOT, px, type Series } from './chart.ts';
import { escapeHtml } from './escape.ts';
import { formatFigure, formatInterval, formatTick } from './format.ts';
import { linearScale, ticksBetween } from './scale.ts';

export interface IntervalRow {
  readonly name: string;
  readonly value: number | null;
  readonly interval: Interval | null;
}

const ROW = { height: 26, labelWidth: 190, valueWidth: 66 } as const;

/** A dot with whiskers for each row. `from` draws a line at a value that matters, such as a gain of 0. */
export function intervalPlot(title: string, rows: readonly IntervalRow[], label: string, from?: number): string {
  const shown = rows.filter((row): row is IntervalRow & { value: number } => row.value !== null);
  if (shown.length === 0) return '<p class="quiet">Nothing to show: no query counts.</p>';
  const ends = shown.flatMap(({ value, interval }) => [value, interval?.low ?? value, interval?.high ?? value]);
  const marked = from === undefined ? ends : [...ends, from];
  const ticks = ticksBetween(Math.min(...marked), Math.max(...marked));
  const domain = [ticks[0] ?? 0, ticks.at(-1) ?? 1] as const;
  const scale = linearScale(domain, [ROW.labelWidth, CHART.width - ROW.valueWidth]);
  const bottom = CHART.top + shown.length * ROW.height;
  const grid = ticks.map((tick) => {
    const x = px(scale(tick));
    return (
      `<line class="${tick === from ? 'mark' : 'grid'}" x1="${x}" x2="${x}" y1="${CHART.top}" y2="${bottom}"/>` +
      `<text class="tick" x="${x}" y="${bottom + 16}" text-anchor="middle">${formatTick(tick)}</text>`
    );
  });
  const dots = shown.map(({ name, value, interval }, row) => {
    const y = CHART.top + (row + 0.5) * ROW.height;
    const whisker =
      interval === null
        ? ''
        : `<line class="whisker c1" x1="${px(scale(interval.low))}" x2="${px(scale(interval.high))}" y1="${y}" y2="${y}"/>`;
    const hint = escapeHtml(`${name}: ${formatFigure(value)} (${formatInterval(interval)})`);
    return (
      `<g><title>${hint}</title><text class="tick" x="${ROW.labelWidth - 12}" y="${y}" dy="0.32em" text-anchor="end">${escapeHtml(name)}</text>` +
      `${whisker}<circle class="dot c1" cx="${px(scale(value))}" cy="${y}" r="4.5"/>` +
      `<text class="tick" x="${CHART.width - ROW.valueWidth + 14}" y="${y}" dy="0.32em">${formatFigure(value)}</text></g>`
    );
  });
  const axis = `<text class="axis" x="${(ROW.labelWidth + CHART.width - ROW.valueWidth) / 2}" y="${bottom + 38}" text-anchor="middle">${escapeHtml(label)}</text>`;
  return frame(title, `${grid.join('')}${dots.join('')}${axis}`, bottom + 46);
}

/** Shares of each label's rows over the scores, as steps. */
export function distributionPlot({ edges, shares }: ScoreDistribution): string {
  const top = ticksBetween(0, Math.max(...shares.flat(), 0.01));
  const series = shares.map(
    (ofLabel, label): Series => ({
      name: `label ${label}`,
      className: ['c6', 'c2', 'c1', 'c4', 'c5'][label] ?? 'c7',
      points: ofLabel.flatMap((y, bin) => [
        { x: edges[bin] ?? 0, y },
        { x: edges[bin + 1] ?? 0, y },
      ]),
    }),
  );
  return lineChart(
    'Scores by label',
    scoreAxis(edges[0] ?? 0, edges.at(-1) ?? 1),
    {
      scale: linearScale([0, top.at(-1) ?? 1], PLOT.y),
      ticks: top.map((value) => ({ value, label: formatTick(value) })),
      label: "share of the label's rows",
    },
    series.filter((_, label) => (shares[label] ?? []).some((share) => share > 0)),
  );
}

/** Share of relevant rows by score; the diagonal, where the scores are probabilities, is where it should lie. */
export function calibrationPlot(bins: readonly CalibrationBin[]): string {
  const scores = bins.map(({ score }) => score);
  const [low, high] = [Math.min(...scores), Math.max(...scores)];
  const x = scoreAxis(low, high);
  const y: Axis = {
    scale: linearScale([0, 1], PLOT.y),
    ticks: ticksBetween(0, 1).map((value) => ({ value, label: formatTick(value) })),
    label: 'share of relevant rows',
  };
  const measured: Series = {
    name: 'relevant rows',
    className: 'c1',
    points: bins.map(({ score, relevantShare }) => ({ x: score, y: relevantShare })),
  };
  const diagonal: Series = {
    name: 'if the score were the probability',
    className: 'c6',
    points: [
      { x: low, y: low },
      { x: high, y: high },
    ],
  };
  const whiskers = bins.map(({ score, interval }) => {
    const at = px(x.scale(score));
    return `<line class="whisker c1" x1="${at}" x2="${at}" y1="${px(y.scale(interval.low))}" y2="${px(y.scale(interval.high))}"/>`;
  });
  const isProbability = low >= 0 && high <= 1;
  const chart = lineChart('Share of relevant rows by score', x, y, isProbability ? [measured, diagonal] : [measured]);
  return chart.replace('</svg>', `${whiskers.join('')}</svg>`);
}

function scoreAxis(low: number, high: number): Axis {
  const ticks = ticksBetween(low, high, 8);
  return {
    scale: linearScale([ticks[0] ?? 0, ticks.at(-1) ?? 1], PLOT.x),
    ticks: ticks.map((value) => ({ value, label: formatTick(value) })),
    label: 'score',
  };
}
