import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { failure } from '../../core/errors.ts';
import { type Baseline, checkGate, type GateCheck, type Measured, readBaseline } from '../../eval/gate.ts';
import { formatFigure, formatInterval } from '../../eval/report/html/format.ts';
import { reportJson } from '../../eval/report/json.ts';
import type { Interval } from '../../eval/statistics/bootstrap.ts';
import { EXIT } from '../exit-codes.ts';
import { readInput } from '../input-files.ts';
import { formatTable, note, print } from '../output.ts';
import type { EvaluationFlags } from './eval-options.ts';

interface NamedEstimate {
  readonly name: string;
  readonly value: number | null;
  readonly interval: Interval | null;
}

/** Writes a report as HTML and, under the same name, as JSON; returns both paths. */
export async function writeReport(file: string, page: string, report: object): Promise<string[]> {
  const json = `${file.replace(/\.html?$/i, '')}.json`;
  await writeOutput(file, page);
  await writeOutput(json, reportJson(report));
  return [file, json];
}

export async function writeOutput(file: string, text: string): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text);
  } catch (cause) {
    throw failure('invalid_request', `${file} cannot be written (${(cause as NodeJS.ErrnoException).code}).`, {
      cause,
    });
  }
}

/** The baseline that `--gate` names. To be read before a report is written, which may go to the same file. */
export async function readGate({ gate }: EvaluationFlags): Promise<Baseline | undefined> {
  return gate === undefined ? undefined : readBaseline((await readInput(gate)).toString('utf8'), gate);
}

/** Holds what was measured against the baseline; a fall makes the command fail. */
export function applyGate(
  baseline: Baseline | undefined,
  flags: EvaluationFlags,
  measured: Measured,
): GateCheck[] | undefined {
  if (baseline === undefined) return undefined;
  const checks = checkGate(baseline, measured, flags);
  if (checks.some(({ fell }) => fell)) process.exitCode = EXIT.failed;
  return checks;
}

export function printGate(checks: readonly GateCheck[] | undefined): void {
  if (checks === undefined) return;
  for (const { name, baseline, now, method, noise } of checks.filter(({ fell }) => fell)) {
    const against = method === 'paired' ? 'interval of the difference' : "baseline's interval";
    note(`fell: ${name} from ${formatFigure(baseline)} to ${formatFigure(now)} (${against} ${formatInterval(noise)})`);
  }
  if (!checks.some(({ fell }) => fell)) print('gate: no metric fell by more than its noise');
}

export function gateJson(checks: readonly GateCheck[] | undefined): Record<string, unknown> {
  return checks === undefined ? {} : { gate: { passed: !checks.some(({ fell }) => fell), checks } };
}

/** Metrics under their own names, and their intervals under the same. */
export function estimatesJson(estimates: readonly NamedEstimate[]): Record<string, unknown> {
  return {
    ...Object.fromEntries(estimates.map(({ name, value }) => [name, value])),
    intervals: Object.fromEntries(
      estimates.map(({ name, interval }) => [name, interval === null ? null : [interval.low, interval.high]]),
    ),
  };
}

export function estimatesTable(estimates: readonly NamedEstimate[], confidence: number): string {
  return formatTable(
    ['metric', 'value', `${100 * confidence} % interval`],
    estimates.map(({ name, value, interval }) => [name, formatFigure(value), formatInterval(interval)]),
  );
}
