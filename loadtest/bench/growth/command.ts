import { type Command, InvalidArgumentError, Option } from 'commander';
import { packageRoot } from '../../../src/core/package-root.ts';
import { describeCommit } from '../../machine.ts';
import { formatJson, reportFile, say, writeFiles } from '../../program.ts';
import { describeBenchMachine, machineWarnings } from '../machine.ts';
import { wholeFrom } from '../options.ts';
import { prepareBundle } from '../prepared/bundles.ts';
import { DEFAULT_CACHE } from '../prepared/cache.ts';
import { MODEL_SIZES, type ModelSize, uniclipSizes } from '../prepared/model-sizes.ts';
import { FULL, QUICK } from '../settings.ts';
import { measureGrowth } from './measure.ts';
import { renderGrowthPage } from './page.ts';
import { GROWTH_FORMAT, type GrowthReport } from './report.ts';
import { growthTables } from './table.ts';

interface Flags {
  readonly size: ModelSize;
  readonly quick: boolean;
  readonly rounds: number;
  readonly covers: readonly number[];
  readonly rerankK: readonly number[];
  readonly queryCharacters: readonly number[];
  readonly connections: readonly number[];
  readonly cache: string;
  readonly out?: string;
  readonly table?: string;
}

const REQUEST_COVERS = 2_000;

/** `npm run bench -- growth` */
export function addGrowthCommand(command: Command): void {
  command
    .description('Measures what more covers, pairs, characters and connections cost; writes JSON, a page and a table.')
    .option('--covers <list>', 'covers in the index', counts, [1_000, 10_000, 100_000, 1_000_000])
    .option('--rerank-k <list>', 'covers reranked', counts, [10, 20, 50, 100])
    .option('--query-characters <list>', 'characters of the query', counts, [2, 5, 10, 20, 50])
    .option('--connections <list>', 'requests on their way at once', counts, [1, 2, 4, 8, 16, 32])
    .option('--rounds <n>', 'rounds of every point', wholeFrom(1), 3)
    .option('--quick', 'short rounds, to see that everything works; no figures', false)
    .addOption(new Option('--size <size>', 'model with random weights').choices(MODEL_SIZES).default('full'))
    .option('--cache <folder>', 'models and covers, kept between runs', DEFAULT_CACHE)
    .option('--out <file>', 'the JSON report; the page goes beside it (default: loadtest-results/growth-<time>.json)')
    .option('--table <file>', 'tables in Markdown, to keep in docs')
    .action(async () => {
      const flags = command.opts<Flags>();
      const report = await runGrowth(flags);
      process.stdout.write(growthTables(report));
      const json = reportFile(flags.out, 'growth-', report.startedAt);
      await writeFiles({
        [json]: formatJson(report),
        [`${json.replace(/\.json$/, '')}.html`]: renderGrowthPage(report),
        ...(flags.table === undefined ? {} : { [flags.table]: growthTables(report) }),
      });
    });
}

async function runGrowth(flags: Flags): Promise<GrowthReport> {
  const { size, quick, rounds, cache, ...steps } = flags;
  const startedAt = new Date().toISOString();
  const machine = await describeBenchMachine();
  const warnings = [
    ...machineWarnings(machine),
    ...(quick || size !== 'full' ? ['a quick run or a small model: these are no figures'] : []),
  ];
  for (const warning of warnings) say(`warning: ${warning}`);
  const covers = Math.min(REQUEST_COVERS, Math.max(...steps.covers));
  const axes = await measureGrowth({
    cache,
    bundle: await prepareBundle(cache, size, 'int8'),
    rounds,
    durations: quick ? QUICK : FULL,
    steps,
    sizes: uniclipSizes(size),
    covers,
    say,
  });
  const git = await describeCommit(packageRoot);
  return { format: GROWTH_FORMAT, startedAt, git, machine, warnings, model: `${size}-int8`, rounds, covers, axes };
}

function counts(text: string): number[] {
  const values = text.split(',').map(Number);
  if (values.every((value) => Number.isInteger(value) && value > 0)) return values.sort((a, b) => a - b);
  throw new InvalidArgumentError('It has to be whole numbers above 0, with commas between them.');
}
