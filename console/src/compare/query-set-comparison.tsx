import type { Signal } from '@preact/signals';
import { useConsole } from '../console-context.ts';
import { Failure, Notice } from '../elements/notice.tsx';
import { Progress } from '../elements/progress.tsx';
import { QuerySetField } from '../elements/query-set-field.tsx';
import { Scrolling } from '../elements/scrolling.tsx';
import { t } from '../language/language.ts';
import type { RankSettings } from '../ranking/rank-settings.ts';
import { AgreementFigures, formatAgreement } from './agreement-figures.tsx';
import { DEPTH, meanAgreement } from './agreement-of.ts';
import type { ComparedQuery, ComparisonRun } from './comparison-run.ts';

interface QuerySetComparisonProps {
  readonly settingsA: Signal<RankSettings>;
  readonly settingsB: Signal<RankSettings>;
  readonly onChoose: (query: string) => void;
}

/** Rows that the table shows: the queries that are least alike are the ones to look at. */
const ROWS = 50;

export function QuerySetComparison({ settingsA, settingsB, onChoose }: QuerySetComparisonProps) {
  const { comparison: run, querySets } = useConsole().states;
  const queries = querySets.comparison.queries.value;
  return (
    <section class="panel" aria-labelledby="set-title">
      <h2 id="set-title">{t('compare.set')}</h2>
      <p class="quiet">{t('compare.setIntro')}</p>
      <QuerySetField set={querySets.comparison} />
      <div class="row">
        {run.isRunning.value ? (
          <button type="button" class="button" onClick={run.stop}>
            {t('compare.cancel')}
          </button>
        ) : (
          <button
            type="button"
            class="button button-primary"
            disabled={queries.length === 0}
            onClick={() => void run.start(queries, settingsA.value, settingsB.value)}
          >
            {t('compare.run', { count: queries.length })}
          </button>
        )}
        {run.total.value === 0 ? null : (
          <Progress
            done={run.done.value}
            total={run.total.value}
            label={t('compare.progress', { done: run.done.value, total: run.total.value })}
          />
        )}
      </div>
      <RunFailures run={run} />
      {run.compared.value.length === 0 ? null : <Compared compared={run.compared.value} onChoose={onChoose} />}
    </section>
  );
}

function RunFailures({ run }: { readonly run: ComparisonRun }) {
  const error = run.error.value;
  if (error === undefined) return null;
  return (
    <>
      {run.failed.value === 0 ? null : <p class="small">{t('compare.failed', { count: run.failed.value })}</p>}
      <Failure error={error} />
    </>
  );
}

interface ComparedProps {
  readonly compared: readonly ComparedQuery[];
  readonly onChoose: (query: string) => void;
}

function Compared({ compared, onChoose }: ComparedProps) {
  const judged = compared.filter(({ agreement }) => agreement.ndcgA !== undefined).length;
  const leastAlike = compared.toSorted((a, b) => a.agreement.rbo - b.agreement.rbo).slice(0, ROWS);
  return (
    <>
      <h3>{t('compare.mean')}</h3>
      <AgreementFigures agreement={meanAgreement(compared.map(({ agreement }) => agreement))} />
      <DegradedCount compared={compared} />
      <p class="quiet small">{judged === 0 ? t('compare.notJudged') : t('compare.judged', { count: judged })}</p>
      <p class="quiet small">{t('compare.worst')}</p>
      <Scrolling label={t('compare.set')}>
        <table class="table">
          <thead>
            <tr>
              <th scope="col">{t('compare.query')}</th>
              <th scope="col">{t('compare.overlap', { k: DEPTH })}</th>
              <th scope="col">RBO</th>
              <th scope="col">τ</th>
              <th scope="col">{t('compare.ndcg', { name: 'A' })}</th>
              <th scope="col">{t('compare.ndcg', { name: 'B' })}</th>
            </tr>
          </thead>
          <tbody>
            {leastAlike.map(({ query, agreement, isDegraded }) => (
              <tr key={query}>
                <th scope="row">
                  <button type="button" class="link-button" onClick={() => onChoose(query)}>
                    {query}
                  </button>
                  <DegradedSides isDegraded={isDegraded} />
                </th>
                <td>{formatAgreement(agreement.overlap)}</td>
                <td>{formatAgreement(agreement.rbo)}</td>
                <td>{formatAgreement(agreement.tau)}</td>
                <td>{formatAgreement(agreement.ndcgA)}</td>
                <td>{formatAgreement(agreement.ndcgB)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scrolling>
    </>
  );
}

/** The means take in answers that lost something: how many they are on each side. */
function DegradedCount({ compared }: { readonly compared: readonly ComparedQuery[] }) {
  const a = compared.filter(({ isDegraded }) => isDegraded.a).length;
  const b = compared.filter(({ isDegraded }) => isDegraded.b).length;
  if (a === 0 && b === 0) return null;
  return <Notice kind="warning">{t('compare.degraded', { a, b, count: compared.length })}</Notice>;
}

function DegradedSides({ isDegraded: { a, b } }: Pick<ComparedQuery, 'isDegraded'>) {
  if (!a && !b) return null;
  const sides = [...(a ? ['A'] : []), ...(b ? ['B'] : [])].join(', ');
  return <span class="tag">{t('compare.degradedSides', { sides })}</span>;
}
