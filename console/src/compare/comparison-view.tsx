import { useSignal } from '@preact/signals';
import { useEffect, useMemo } from 'preact/hooks';
import { useConsole } from '../console-context.ts';
import { Empty, Failure } from '../elements/notice.tsx';
import { QueryField } from '../elements/query-field.tsx';
import { t } from '../language/language.ts';
import { createRankedQuery, type RankedQuery } from '../ranking/ranked-query.ts';
import { keepInAddress, route } from '../route.ts';
import { type Grades, gradesOf } from '../service/judgements.ts';
import { AgreementFigures } from './agreement-figures.tsx';
import { agreementOf } from './agreement-of.ts';
import { MovedCovers } from './moved-covers.tsx';
import { QuerySetComparison } from './query-set-comparison.tsx';
import { SideSettings } from './side-settings.tsx';

const FIRST_TOP_N = 10;

/** Two settings on one query, and over a query set. */
export function ComparisonView() {
  const { client, announce } = useConsole();
  const [a, b] = useMemo(() => [createSide(client), createSide(client)] as const, [client]);
  const rankingA = a.answered.value?.ranking;
  const rankingB = b.answered.value?.ranking;
  const grades = useGrades(rankingA?.query);
  const error = a.error.value ?? b.error.value;
  const type = (query: string): void => {
    a.type(query);
    b.type(query);
  };
  const askBoth = (): void => {
    void a.ask();
    void b.ask();
  };
  useEffect(() => {
    const wanted = route.value.params.get('q');
    if (wanted === null) return;
    a.type(wanted);
    b.type(wanted);
  }, [a, b, route.value]);
  const agreement =
    rankingA === undefined || rankingB === undefined || rankingA.query !== rankingB.query
      ? undefined
      : agreementOf(rankingA, rankingB, grades);
  const overlap = agreement?.overlap;
  useEffect(() => {
    if (rankingA === undefined || overlap === undefined) return;
    keepInAddress('compare', { q: rankingA.query });
    announce(`${t('compare.overlap', { k: 10 })} ${overlap.toFixed(2)}`);
  }, [announce, overlap, rankingA]);

  return (
    <div class="view">
      <h1>{t('compare.title')}</h1>
      <p class="lead">{t('compare.intro')}</p>
      <QueryField value={a.query.value} busy={a.busy.value || b.busy.value} onType={type} onAsk={askBoth} />
      <div class="sides">
        <SideSettings name="A" side={a} />
        <SideSettings name="B" side={b} />
      </div>
      {error === undefined ? null : <Failure error={error} retry={askBoth} />}
      {rankingA === undefined || rankingB === undefined || agreement === undefined ? (
        error === undefined && a.query.value.trim() === '' ? (
          <Empty title={t('compare.emptyTitle')}>
            <p>{t('compare.emptyText')}</p>
          </Empty>
        ) : null
      ) : (
        <>
          <AgreementFigures agreement={agreement} />
          <MovedCovers a={rankingA} b={rankingB} />
        </>
      )}
      <QuerySetComparison settingsA={a.settings} settingsB={b.settings} onChoose={type} />
    </div>
  );
}

function createSide(client: Parameters<typeof createRankedQuery>[0]): RankedQuery {
  const side = createRankedQuery(client);
  side.settings.value = { ...side.settings.value, topN: FIRST_TOP_N };
  return side;
}

/** What was judged of the query that is shown; without it there is no NDCG, and nothing else is missing. */
function useGrades(query: string | undefined): Grades | undefined {
  const { client } = useConsole();
  const grades = useSignal<{ readonly query: string; readonly grades: Grades } | undefined>(undefined);
  useEffect(() => {
    if (query === undefined) return;
    const left = new AbortController();
    gradesOf(client, query, left.signal).then(
      (found) => {
        grades.value = { query, grades: found };
      },
      () => {},
    );
    return () => left.abort();
  }, [client, grades, query]);
  return grades.value?.query === query ? grades.value?.grades : undefined;
}
