import { type Command, InvalidArgumentError, Option } from 'commander';
import { DEFAULT_CACHE } from './prepared/cache.ts';
import { MODEL_SIZES } from './prepared/model-sizes.ts';
import type { BenchSettings } from './report.ts';

export interface BenchOptions {
  readonly settings: BenchSettings;
  /** Names of rows; all where it is undefined. */
  readonly only: readonly string[] | undefined;
  readonly cache: string;
  readonly out: string | undefined;
  readonly compare: string | undefined;
}

interface Flags extends Omit<BenchSettings, 'rounds'> {
  readonly rounds?: number;
  readonly only?: readonly string[];
  readonly cache: string;
  readonly out?: string;
  readonly compare?: string;
}

const ROUNDS = 5;
const QUICK_ROUNDS = 1;

/** The options of `npm run bench`; `rows` are the names that `--only` takes. */
export function addBenchOptions(command: Command, rows: readonly string[]): Command {
  return command
    .option('--only <rows>', `some of ${rows.join(', ')}`, (text) => rowNames(text, rows))
    .option('--quick', 'one short round, to see that everything works; no figures', false)
    .option('--rounds <n>', `rounds of every row (default ${ROUNDS}, quick: ${QUICK_ROUNDS})`, wholeFrom(1))
    .addOption(new Option('--size <size>', 'models with random weights').choices(MODEL_SIZES).default('full'))
    .option('--covers <n>', 'covers that /rank searches', wholeFrom(1), 100_000)
    .option('--restart-covers <n>', 'covers of the restart', wholeFrom(1), 1_000_000)
    .option('--rerank-k <n>', 'covers that are reranked', wholeFrom(1), 50)
    .option('--cache <folder>', 'models and covers, kept between runs', DEFAULT_CACHE)
    .option('--out <file>', 'the JSON report (default: loadtest-results/bench-<time>.json)')
    .option('--compare <file>', 'an earlier JSON report to put beside this one');
}

export function benchOptions(command: Command): BenchOptions {
  const { size, quick, rounds, covers, restartCovers, rerankK, ...rest } = command.opts<Flags>();
  const settings = { size, quick, covers, restartCovers, rerankK, rounds: rounds ?? (quick ? QUICK_ROUNDS : ROUNDS) };
  return { settings, only: rest.only, cache: rest.cache, out: rest.out, compare: rest.compare };
}

function rowNames(text: string, known: readonly string[]): string[] {
  const names = text.split(',').map((name) => name.trim());
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new InvalidArgumentError(`There is no row ${unknown}; there are ${known.join(', ')}.`);
  return names;
}

export function wholeFrom(minimum: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && Number.isInteger(value) && value >= minimum) return value;
    throw new InvalidArgumentError(`It has to be a whole number of at least ${minimum}.`);
  };
}
