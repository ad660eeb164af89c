import { useEffect, useMemo } from 'preact/hooks';
import { useConsole } from '../console-context.ts';
import { Failure, Notice } from '../elements/notice.tsx';
import { Picture } from '../elements/picture.tsx';
import { Progress } from '../elements/progress.tsx';
import { isTyping } from '../elements/query-field.tsx';
import { t } from '../language/language.ts';
import type { Grade } from '../service/types.ts';
import type { Judging } from './judging.ts';

const GRADES = [0, 1, 2] as const;

/** One cover at a time, large, with the query above it and all covers of the query below. */
export function GradingDesk({ judging }: { readonly judging: Judging }) {
  const { give, undo } = useSpokenGrades(judging);
  const { queries, at, hits, grades, cover } = judging;
  const graded = hits.value.filter(({ id }) => grades.value.has(id)).length;
  const isDone = hits.value.length > 0 && graded === hits.value.length;
  const isLast = at.value === queries.value.length - 1;

  useEffect(() => {
    const actions: Readonly<Record<string, () => void>> = {
      ...Object.fromEntries(GRADES.map((grade) => [String(grade), () => void give(grade)])),
      ArrowLeft: () => judging.goToCover(cover.peek() - 1),
      ArrowRight: () => judging.goToCover(cover.peek() + 1),
      u: () => void undo(),
      n: () => void judging.goToQuery(at.peek() + 1),
      p: () => void judging.goToQuery(at.peek() - 1),
    };
    const onKey = (event: KeyboardEvent): void => {
      if (isTyping(event.target) || event.ctrlKey || event.metaKey || event.altKey) return;
      const action = actions[event.key] ?? actions[event.key.toLowerCase()];
      if (action === undefined) return;
      event.preventDefault();
      action();
    };
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  }, [at, cover, give, judging, undo]);

  return (
    <section class="panel desk" aria-labelledby="desk-query">
      <div class="row">
        <Progress
          done={at.value}
          total={queries.value.length}
          label={t('judge.progressQueries', { number: at.value + 1, total: queries.value.length })}
        />
        <Progress
          done={graded}
          total={hits.value.length}
          label={t('judge.progressCovers', { done: graded, total: hits.value.length })}
        />
        <button type="button" class="button button-quiet" onClick={judging.leave}>
          {t('judge.leave')}
        </button>
      </div>
      <h2 id="desk-query" class="desk-query">
        {queries.value[at.value]}
      </h2>
      {judging.error.value === undefined ? null : (
        <Failure error={judging.error.value} retry={() => void judging.goToQuery(at.value)} />
      )}
      {judging.busy.value ? <p class="quiet">{t('word.loadingPage')}</p> : null}
      <CurrentCover judging={judging} onGrade={give} />
      {isDone ? <Notice kind="info">{t(isLast ? 'judge.allDone' : 'judge.done')}</Notice> : null}
      <div class="row row-center">
        <button
          type="button"
          class="button"
          disabled={at.value === 0}
          onClick={() => void judging.goToQuery(at.value - 1)}
        >
          {t('judge.previousQuery')}
        </button>
        <button type="button" class="button" disabled={!judging.canUndo.value} onClick={() => void undo()}>
          {t('judge.undo')}
        </button>
        <button
          type="button"
          class={`button ${isDone && !isLast ? 'button-primary' : ''}`}
          disabled={isLast}
          onClick={() => void judging.goToQuery(at.value + 1)}
        >
          {t('judge.nextQuery')}
        </button>
      </div>
      <CoverStrip judging={judging} />
      <p class="quiet small">{t('judge.keys')}</p>
    </section>
  );
}

/** Grades given and taken back, told to those who hear the page once the service has them. */
function useSpokenGrades(judging: Judging) {
  const { announce } = useConsole();
  return useMemo(
    () => ({
      async give(grade: Grade): Promise<void> {
        if (await judging.grade(grade)) announce(t('judge.graded', { grade }));
      },
      async undo(): Promise<void> {
        if (await judging.undo()) announce(t('judge.undone'));
      },
    }),
    [announce, judging],
  );
}

interface CurrentCoverProps {
  readonly judging: Judging;
  readonly onGrade: (grade: Grade) => Promise<void>;
}

function CurrentCover({ judging, onGrade }: CurrentCoverProps) {
  const hit = judging.hits.value[judging.cover.value];
  if (hit === undefined) return null;
  const grade = judging.grades.value.get(hit.id);
  return (
    <div class="desk-cover">
      <Picture id={hit.id} label={hit.cover?.title ?? hit.id} />
      <p class="details-name">{hit.cover?.title ?? t('hit.untitled')}</p>
      <p class="quiet small">
        {t('judge.cover', { number: judging.cover.value + 1, total: judging.hits.value.length })} ·{' '}
        <span class="mono">{hit.id}</span>
      </p>
      <fieldset class="grades" aria-label={t('judge.grade')}>
        {GRADES.map((each) => (
          <button
            key={each}
            type="button"
            class={`grade grade-${each}`}
            aria-pressed={grade === each}
            onClick={() => void onGrade(each)}
          >
            <kbd>{each}</kbd>
            {t(`judge.grade${each}`)}
          </button>
        ))}
      </fieldset>
    </div>
  );
}

function CoverStrip({ judging }: { readonly judging: Judging }) {
  const { hits, grades, cover } = judging;
  return (
    <ol class="strip" aria-label={t('judge.covers')}>
      {hits.value.map((hit, place) => {
        const grade = grades.value.get(hit.id);
        return (
          <li key={hit.id}>
            <button
              type="button"
              class={`strip-cover ${grade === undefined ? '' : `grade-${grade}`}`}
              aria-current={place === cover.value ? 'true' : undefined}
              aria-label={`${t('judge.cover', { number: place + 1, total: hits.value.length })}${
                grade === undefined ? '' : `, ${t('judge.graded', { grade })}`
              }`}
              onClick={() => judging.goToCover(place)}
            >
              <Picture id={hit.id} label="" />
              {grade === undefined ? null : (
                <span class="strip-grade" aria-hidden="true">
                  {grade}
                </span>
              )}
            </button>
          </li>
        );
      })}
    </ol>
  );
}
