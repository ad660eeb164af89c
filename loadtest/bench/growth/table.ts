import { formatNumber } from '../../format.ts';
import { AXIS_TITLES } from './page.ts';
import { GROWTH_AXES, type GrowthPoint, type GrowthReport } from './report.ts';

/** The measured part of docs/sizing.md, as Markdown. */
export function growthTables(report: GrowthReport): string {
  const { machine, startedAt, model, rounds, warnings, git } = report;
  const lines = [
    '# Sizing: measured figures',
    '',
    'Written by `npm run bench -- growth --table`; do not edit. What they mean and what can be computed instead:',
    '[sizing.md](sizing.md).',
    '',
    `- ${machine.cpu}, ${machine.cores} cores (${machine.instructionSets.join(', ')}), ${machine.memoryGiB} GiB`,
    `- Node ${machine.node}, ONNX Runtime ${machine.onnxruntime}, model ${model}, median of ${rounds} rounds`,
    `- ${startedAt.slice(0, 10)}, ${git === null ? 'no checkout' : `${git.commit.slice(0, 12)}${git.dirty ? ' with changes' : ''}`}`,
    ...warnings.map((warning) => `- **${warning}**`),
    ...GROWTH_AXES.flatMap((axis) => {
      const points = report.axes[axis] ?? [];
      return points.length === 0 ? [] : ['', `## By ${AXIS_TITLES[axis]}`, '', ...table(points)];
    }),
  ];
  return `${lines.join('\n')}\n`;
}

function table(points: readonly GrowthPoint[]): string[] {
  const names = Object.keys(points[0]?.figures ?? {});
  return [
    `| | ${names.map((name) => name.replaceAll('_', ' ')).join(' | ')} |`,
    `|${'---|'.repeat(names.length + 1)}`,
    ...points.map(({ at, figures }) => {
      const cells = names.map((name) => formatNumber(figures[name] ?? Number.NaN));
      return `| ${formatNumber(at)} | ${cells.join(' | ')} |`;
    }),
  ];
}
