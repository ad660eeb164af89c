import { packageRoot } from '../../src/core/package-root.ts';
import { describeCommit } from '../machine.ts';
import { describeBenchMachine, machineWarnings } from './machine.ts';
import { measureRows } from './measure.ts';
import type { BenchOptions } from './options.ts';
import { prepareBundle } from './prepared/bundles.ts';
import type { ModelSize } from './prepared/model-sizes.ts';
import { BENCH_FORMAT, type BenchReport } from './report.ts';
import type { Bench, Row } from './row.ts';
import { FULL, QUICK } from './settings.ts';
import { type OpenedModels, openModels } from './subjects/opened-models.ts';

/** Measures those of `rows` that were asked for. */
export async function runBench(
  rows: readonly Row[],
  options: BenchOptions,
  say: (what: string) => void,
): Promise<BenchReport> {
  const { settings, cache, only } = options;
  const startedAt = new Date().toISOString();
  const machine = await describeBenchMachine();
  const warnings = [
    ...machineWarnings(machine),
    ...(settings.quick || settings.size !== 'full' ? ['a quick run or a small model: these are no figures'] : []),
  ];
  for (const warning of warnings) say(`warning: ${warning}`);
  const opened = new Map<string, Promise<OpenedModels>>();
  const bench: Bench = {
    settings,
    durations: settings.quick ? QUICK : FULL,
    cache,
    bundle: (precision) => prepareBundle(cache, settings.size as ModelSize, precision),
    models(precision) {
      const models = opened.get(precision) ?? bench.bundle(precision).then(openModels);
      opened.set(precision, models);
      return models;
    },
    say,
  };
  try {
    const wanted = rows.filter(({ name }) => only?.includes(name) ?? true);
    const measured = await measureRows(wanted, bench);
    const git = await describeCommit(packageRoot);
    return { format: BENCH_FORMAT, startedAt, git, machine, settings, ...measured, warnings };
  } finally {
    for (const models of opened.values()) await (await models).close();
  }
}
