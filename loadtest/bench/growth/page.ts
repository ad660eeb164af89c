import { type Axis, lineChart, PLOT, type Series } from '../../../src/eval/report/html/chart.ts';
import { renderDocument } from '../../../src/eval/report/html/document.ts';
import { logScale, logTicks } from '../../../src/eval/report/html/scale.ts';
import { formatNumber } from '../../format.ts';
import { GROWTH_AXES, type GrowthAxis, type GrowthPoint, type GrowthReport } from './report.ts';

export const AXIS_TITLES: Readonly<Record<GrowthAxis, string>> = {
  covers: 'covers in the index',
  rerankK: 'covers reranked',
  queryCharacters: 'characters of the query',
  connections: 'requests on their way at once',
};

/** One file with everything in it: a chart for every axis and unit. */
export function renderGrowthPage(report: GrowthReport): string {
  const { machine, startedAt, model, warnings } = report;
  const title = `coverrank, what growth costs, ${startedAt.replace('T', ' ').slice(0, 16)} UTC`;
  const sections = GROWTH_AXES.flatMap((axis) => {
    const points = report.axes[axis] ?? [];
    return points.length < 2 ? [] : [`<section><h2>${AXIS_TITLES[axis]}</h2>${charts(axis, points)}</section>`];
  });
  const about = `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, Node ${machine.node}, ONNX Runtime ${machine.onnxruntime}, model ${model}`;
  return renderDocument({ title, subtitle: [about, ...warnings].join('. '), sections });
}

/** Figures of one unit share a chart. */
function charts(axis: GrowthAxis, points: readonly GrowthPoint[]): string {
  const names = Object.keys(points[0]?.figures ?? {});
  const units = [...new Set(names.map(unitOf))];
  return units
    .map((unit) =>
      chart(
        axis,
        unit,
        points,
        names.filter((name) => unitOf(name) === unit),
      ),
    )
    .join('');
}

function chart(axis: GrowthAxis, unit: string, points: readonly GrowthPoint[], names: readonly string[]): string {
  const series = names.map(
    (name, index): Series => ({
      name,
      className: `c${index + 1}`,
      points: points.flatMap(({ at, figures }) => {
        const y = figures[name];
        return y === undefined || !(y > 0) ? [] : [{ x: at, y }];
      }),
    }),
  );
  const drawn = series.flatMap((line) => line.points);
  if (drawn.length === 0) return '';
  const x = logAxis(
    points.map(({ at }) => at),
    AXIS_TITLES[axis],
    PLOT.x,
  );
  const y = logAxis(
    drawn.map((point) => point.y),
    unit,
    PLOT.y,
  );
  return lineChart(`${unit} by ${AXIS_TITLES[axis]}`, x, y, series);
}

function unitOf(name: string): string {
  return /_(ms|s|bytes|(?:giga_operations_)?per_second)$/.exec(`_${name}`)?.[1]?.replaceAll('_', ' ') ?? name;
}

function logAxis(values: readonly number[], label: string, range: readonly [number, number]): Axis {
  const ticks = logTicks(Math.min(...values), Math.max(...values));
  return {
    scale: logScale([ticks[0] ?? 1, ticks.at(-1) ?? 10], range),
    ticks: ticks.map((value) => ({ value, label: formatNumber(value) })),
    label: `${label} (logarithmic)`,
  };
}
