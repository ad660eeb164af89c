import { useConsole } from '../console-context.ts';
import { formatCount, formatTime } from '../elements/format.ts';
import { Failure } from '../elements/notice.tsx';
import { usePolled } from '../elements/use-polled.ts';
import { t } from '../language/language.ts';
import type { IndexStatus } from '../service/types.ts';

export const LIVE_MS = 2_000;

/** What is in the index, and whether everything of it is on disk and can be found. */
export function IndexState() {
  const { value: status, error } = usePolled<IndexStatus>('/index', LIVE_MS);
  return (
    <section class="panel" aria-labelledby="state-title">
      <div class="row">
        <h2 id="state-title">{t('index.state')}</h2>
        <span class="quiet small">{t('index.updated', { seconds: LIVE_MS / 1000 })}</span>
      </div>
      {error === undefined ? null : <Failure error={error} />}
      {status === undefined ? null : <Status status={status} />}
      <Parts />
    </section>
  );
}

function Status({ status }: { readonly status: IndexStatus }) {
  const { covers, deleted, bundle, sequence, durable_sequence: durable, graph, snapshot } = status;
  const behind = sequence - graph.sequence;
  return (
    <>
      <dl class="figures">
        <div>
          <dt>{t('index.covers')}</dt>
          <dd>{formatCount(covers)}</dd>
        </div>
        <div>
          <dt>{t('index.sequence')}</dt>
          <dd>{formatCount(sequence)}</dd>
        </div>
        <div>
          <dt>{t('index.durable')}</dt>
          <dd>{formatCount(durable)}</dd>
        </div>
        <div>
          <dt>{t('index.deleted')}</dt>
          <dd>{formatCount(deleted)}</dd>
        </div>
      </dl>
      <dl class="facts">
        <dt>{t('index.bundle')}</dt>
        <dd>
          {bundle.name} <span class="quiet mono">{bundle.hash.slice(0, 12)}</span>
        </dd>
        <dt>{t('index.graph')}</dt>
        <dd>
          {t(`word.${graph.state}`)},{' '}
          {behind > 0 ? t('index.graphBehind', { count: formatCount(behind) }) : t('index.graphCurrent')}
        </dd>
        <dt>{t('index.snapshot')}</dt>
        <dd>{snapshot === null ? t('index.noSnapshot') : formatTime(snapshot.created_at)}</dd>
      </dl>
    </>
  );
}

function Parts() {
  const parts = useConsole().health.parts.value;
  if (parts.length === 0) return null;
  return (
    <>
      <h3>{t('index.parts')}</h3>
      <ul class="parts">
        {parts.map(({ name, ready, detail }) => (
          <li key={name} class={ready ? 'is-ready' : 'is-missing'}>
            <span class="health-dot" aria-hidden="true" />
            {name} <span class="quiet small">{detail}</span>
          </li>
        ))}
      </ul>
    </>
  );
}
