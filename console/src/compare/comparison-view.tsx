import { useSignal } from '@preact/signals';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import { useConsole } from '../console-context.ts';
import { Degraded } from '../elements/degraded.tsx';
import { Empty, Failure } from '../elements/notice.tsx';
import { QueryField } from '../elements/query-field.tsx';
import { t } from '../language/language.ts';
import type { RankedQuery } from '../ranking/ranked-query.ts';
import { keepInAddress, route } from '../route.ts';
import { type Grades, gradesOf } from '../service/judgements.ts';
import type { Ranking } from '../service/types.ts';
import { AgreementFigures } from './agreement-figures.tsx';
import { agreementOf } from './agreement-of.ts';
import { MovedCovers } from './moved-covers.tsx';
import { QuerySetComparison } from './query-set-comparison.tsx';
import { SideSettings } from './side-settings.tsx';

/** Two settings on one query, and over a query set. */
export function ComparisonView() {
  const { states, announce } = useConsole();
  const [a, b] = states.sides;
  const pair = useLastPair(a, b);
  const grades = useGrades(pair?.a.query);
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
  const agreement = pair === undefined ? undefined : agreementOf(pair.a, pair.b, grades);
  const overlap = agreement?.overlap;
  useEffect(() => {
    if (pair === undefined || overlap === undefined) return;
    keepInAddress('compare', { q: pair.a.query });
    announce(`${t('compare.overlap', { k: 10 })} ${overlap.toFixed(2)}`);
  }, [announce, overlap, pair]);

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
      {pair === undefined || agreement === undefined ? (
        error === undefined && a.query.value.trim() === '' ? (
          <Empty title={t('compare.emptyTitle')}>
            <p>{t('compare.emptyText')}</p>
          </Empty>
        ) : null
      ) : (
        <>
          <LostStages pair={pair} />
          <AgreementFigures agreement={agreement} />
          <MovedCovers a={pair.a} b={pair.b} />
        </>
      )}
      <QuerySetComparison settingsA={a.settings} settingsB={b.settings} onChoose={type} />
    </div>
  );
}

/** Says on which side an answer was cut short: the figures below come from it as it is. */
function LostStages({ pair: { a, b } }: { readonly pair: Pair }) {
  if (a.degraded.length === 0 && b.degraded.length === 0) return null;
  return (
    <div class="sides">
      <div>
        <Degraded degraded={a.degraded} name={t('compare.setting', { name: 'A' })} />
      </div>
      <div>
        <Degraded degraded={b.degraded} name={t('compare.setting', { name: 'B' })} />
      </div>
    </div>
  );
}

interface Pair {
  readonly a: Ranking;
  readonly b: Ranking;
}

/** Both rankings of one query. While one side is ahead of the other the last pair stays. */
function useLastPair(a: RankedQuery, b: RankedQuery): Pair | undefined {
  const last = useRef<Pair | undefined>(undefined);
  const rankingA = a.answered.value?.ranking;
  const rankingB = b.answered.value?.ranking;
  return useMemo(() => {
    if (rankingA === undefined || rankingB === undefined) last.current = undefined;
    else if (rankingA.query === rankingB.query) last.current = { a: rankingA, b: rankingB };
    return last.current;
  }, [rankingA, rankingB]);
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
