import { describeProblem } from '../../eval/judgements/row-problems.ts';
import type { FiguresReport } from '../../eval/report/figures-report.ts';
import { figuresPage, type ScoredLabels } from '../../eval/report/html/figures-page.ts';
import { note, print, printJson } from '../output.ts';
import type { EvaluationFlags } from './eval-options.ts';
import { applyGate, estimatesJson, estimatesTable, gateJson, printGate, readGate, writeReport } from './eval-output.ts';

/** Shows a report of figures, writes it where `--report` says, and holds it against `--gate`. */
export async function tellFigures(
  report: FiguresReport,
  counts: Readonly<Record<string, number>>,
  flags: EvaluationFlags,
  { json, scored }: { readonly json: boolean; readonly scored?: ScoredLabels },
): Promise<void> {
  const baseline = await readGate(flags);
  const written =
    flags.report === undefined
      ? []
      : await writeReport(flags.report, figuresPage(report, scored), { ...report, ...scored });
  const checks = applyGate(baseline, flags, report);
  if (json) {
    const { estimates, problems } = report;
    printJson({ ...estimatesJson(estimates), ...counts, problems, written, ...gateJson(checks) });
    return;
  }
  print(estimatesTable(report.estimates, flags.confidence));
  print(
    Object.entries(counts)
      .map(([name, count]) => `${count} ${name.replaceAll('_', ' ')}`)
      .join(', '),
  );
  for (const problem of report.problems) note(describeProblem(problem));
  for (const file of written) print(`written ${file}`);
  printGate(checks);
}
