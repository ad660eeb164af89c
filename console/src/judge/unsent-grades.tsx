import { Notice } from '../elements/notice.tsx';
import { t } from '../language/language.ts';
import { advice } from '../service/advice.ts';
import type { Judging } from './judging.ts';

/** Grades that did not arrive: why the last of them did not, and what to do with them, whatever the reason. */
export function UnsentGrades({ judging }: { readonly judging: Judging }) {
  const failed = judging.failed.value;
  const last = failed.at(-1);
  if (last === undefined) return null;
  return (
    <Notice kind="error" title={t('judge.unsent', { count: failed.length })}>
      <p>{advice(last.error)}</p>
      <div class="row">
        <button type="button" class="button" onClick={() => void judging.resend()}>
          {t('error.retry')}
        </button>
        <button type="button" class="button button-quiet" onClick={judging.forgetFailed}>
          {t('judge.forgetUnsent')}
        </button>
      </div>
    </Notice>
  );
}
