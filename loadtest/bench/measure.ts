import { max, median, min } from 'simple-statistics';
import type { FigureDescription, MeasuredFigure, Sample, Spread } from './report.ts';
import type { Bench, OpenRow, Row } from './row.ts';

export interface Measured {
  readonly figures: readonly MeasuredFigure[];
  readonly failed: Readonly<Record<string, string>>;
}

/** Row by row, each in several rounds. A row that cannot be measured is told and does not end the run. */
export async function measureRows(rows: readonly Row[], bench: Bench): Promise<Measured> {
  const figures: MeasuredFigure[] = [];
  const failed: Record<string, string> = {};
  for (const row of rows) {
    bench.say(row.name);
    try {
      figures.push(...(await measureRow(row, bench)));
    } catch (error) {
      failed[row.name] = error instanceof Error ? error.message : String(error);
      bench.say(`${row.name} failed: ${failed[row.name]}`);
    }
  }
  return { figures, failed };
}

async function measureRow(row: Row, bench: Bench): Promise<MeasuredFigure[]> {
  const opened = await row.open(bench);
  try {
    const samples = await measureRounds(opened, bench);
    return row.figures.map((figure) =>
      summarise(
        figure,
        samples.map((round) => round[figure.id] as Sample),
      ),
    );
  } finally {
    await opened.close();
  }
}

async function measureRounds(opened: OpenRow, { settings, say }: Bench): Promise<Readonly<Record<string, Sample>>[]> {
  const samples: Readonly<Record<string, Sample>>[] = [];
  for (let round = 0; round < settings.rounds; round++) {
    samples.push(await opened.round(round));
    say(`  round ${round + 1} of ${settings.rounds}`);
  }
  return samples;
}

export function summarise(figure: FigureDescription, rounds: readonly Sample[]): MeasuredFigure {
  const value = spread(rounds.map((sample) => sample.value));
  const names = Object.keys(rounds[0]?.parts ?? {});
  const parts = names.map((name) => [name, spread(rounds.map((sample) => sample.parts[name] ?? Number.NaN))] as const);
  const { better, goal } = figure;
  return {
    ...figure,
    rounds,
    value,
    parts: Object.fromEntries(parts),
    met: better === 'lower' ? value.median <= goal : value.median >= goal,
  };
}

function spread(values: number[]): Spread {
  return { min: min(values), median: median(values), max: max(values) };
}
