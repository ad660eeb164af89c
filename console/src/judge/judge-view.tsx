import { useSignal } from '@preact/signals';
import { useConsole } from '../console-context.ts';
import { Failure } from '../elements/notice.tsx';
import { NumberField } from '../elements/number-field.tsx';
import { QuerySetField } from '../elements/query-set-field.tsx';
import { t } from '../language/language.ts';
import type { QuerySet } from '../ranking/query-set.ts';
import { allGrades } from '../service/judgements.ts';
import { asServiceError, type ServiceError } from '../service/service-error.ts';
import { GradingDesk } from './grading-desk.tsx';
import { JudgementFiles } from './judgement-files.tsx';
import type { Judging } from './judging.ts';
import { UnsentGrades } from './unsent-grades.tsx';

/** Grading covers of a query set, and the files that judgements come and go in. */
export function JudgeView() {
  const { judging, querySets } = useConsole().states;
  return (
    <div class="view">
      <h1>{t('judge.title')}</h1>
      <p class="lead">{t('judge.intro')}</p>
      <UnsentGrades judging={judging} />
      {judging.queries.value.length === 0 ? (
        <JudgeStart judging={judging} set={querySets.judging} />
      ) : (
        <GradingDesk judging={judging} />
      )}
      <JudgementFiles written={judging.written.value} />
    </div>
  );
}

const FIRST_DEPTH = 20;
const MAX_DEPTH = 200;

function JudgeStart({ judging, set }: { readonly judging: Judging; readonly set: QuerySet }) {
  const { client } = useConsole();
  const depth = useSignal(FIRST_DEPTH);
  const error = useSignal<ServiceError | undefined>(undefined);
  const queries = set.queries.value;
  const takeJudged = async (): Promise<void> => {
    try {
      set.take([...(await allGrades(client)).keys()]);
      error.value = undefined;
    } catch (caught) {
      error.value = asServiceError(caught);
    }
  };
  return (
    <section class="panel" aria-labelledby="judge-start">
      <h2 id="judge-start">{t('judge.emptyTitle')}</h2>
      <QuerySetField set={set} />
      {error.value === undefined ? null : <Failure error={error.value} />}
      <div class="row row-bottom">
        <NumberField
          label={t('judge.depth')}
          value={depth.value}
          min={1}
          max={MAX_DEPTH}
          onChange={(covers) => (depth.value = covers ?? FIRST_DEPTH)}
        />
        <button
          type="button"
          class="button button-primary"
          disabled={queries.length === 0}
          onClick={() => void judging.start(queries, depth.value)}
        >
          {t('judge.start', { count: queries.length })}
        </button>
        <button type="button" class="button button-quiet" onClick={() => void takeJudged()}>
          {t('judge.loadJudged')}
        </button>
      </div>
    </section>
  );
}
