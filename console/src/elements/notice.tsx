import type { ComponentChildren } from 'preact';
import { t } from '../language/language.ts';
import { advice } from '../service/advice.ts';
import type { ServiceError } from '../service/service-error.ts';

interface NoticeProps {
  readonly kind: 'info' | 'warning' | 'error';
  readonly title?: string;
  readonly children: ComponentChildren;
}

/** A message in the flow of the page. Errors are read out at once, the rest when there is a pause. */
export function Notice({ kind, title, children }: NoticeProps) {
  return (
    <div class={`notice notice-${kind}`} role={kind === 'error' ? 'alert' : 'status'}>
      {title === undefined ? null : <strong>{title}</strong>}
      <div>{children}</div>
    </div>
  );
}

/** What went wrong with a call, what to do, and where it can be tried again the way to do it. */
export function Failure({ error, retry }: { readonly error: ServiceError; readonly retry?: () => void }) {
  return (
    <Notice kind="error">
      <p>{advice(error)}</p>
      {retry === undefined || !mayRetry(error) ? null : (
        <button type="button" class="button" onClick={retry}>
          {t('error.retry')}
        </button>
      )}
      {error.problem.request_id === undefined ? null : (
        <p class="quiet small">{t('error.requestId', { id: error.problem.request_id })}</p>
      )}
    </Notice>
  );
}

/** Whether the same call may succeed later. */
function mayRetry({ problem }: ServiceError): boolean {
  return problem.code === 'network' || problem.retryable === true;
}

interface EmptyProps {
  readonly title: string;
  readonly children: ComponentChildren;
}

/** What a view shows before there is anything to show: what it is for, and the first step. */
export function Empty({ title, children }: EmptyProps) {
  return (
    <section class="empty">
      <h2>{title}</h2>
      {children}
    </section>
  );
}
