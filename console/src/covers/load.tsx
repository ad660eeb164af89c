import { useMemo, useRef } from 'preact/hooks';
import { formatMs, formatShare } from '../elements/format.ts';
import { Failure } from '../elements/notice.tsx';
import { usePolled } from '../elements/use-polled.ts';
import { t } from '../language/language.ts';
import type { Stats } from '../service/types.ts';
import { LIVE_MS } from './index-state.tsx';
import { type Durations, percentile } from './percentiles.ts';
import { createWindow, type Lately } from './window.ts';

const WINDOW_MS = 60_000;

/** How busy the service is, and what that costs: over the last minute where anything happened in it. */
export function Load() {
  const { value: stats, error } = usePolled<Stats>('/stats', LIVE_MS);
  const readings = useRef(createWindow(WINDOW_MS));
  const lately = useMemo(
    () => (stats === undefined ? undefined : readings.current.add(stats, performance.now())),
    [stats],
  );
  const needsAdmin = error?.problem.code === 'forbidden';
  return (
    <section class="panel" aria-labelledby="load-title">
      <div class="row">
        <h2 id="load-title">{t('index.live')}</h2>
        {lately === undefined ? null : <span class="quiet small">{spanOf(lately)}</span>}
      </div>
      {needsAdmin ? <p class="quiet">{t('index.needsAdmin')}</p> : null}
      {error === undefined || needsAdmin ? null : <Failure error={error} />}
      {stats === undefined || lately === undefined ? null : (
        <>
          <LatencyFigures latency={lately.latency} />
          <Rates lately={lately} />
          <h3>{t('index.queues')}</h3>
          <dl class="facts">
            {Object.entries(stats.admission).map(([name, { running, waiting }]) => (
              <>
                <dt key={name}>{t(name === 'index' ? 'index.class.index' : 'index.class.rank')}</dt>
                <dd>{t('index.running', { running, waiting })}</dd>
              </>
            ))}
          </dl>
        </>
      )}
    </section>
  );
}

function spanOf({ seconds }: Lately): string {
  return seconds === undefined ? t('index.sinceStart') : t('index.window', { seconds: Math.round(seconds) });
}

const SHARES = [
  ['index.p50', 0.5],
  ['index.p95', 0.95],
  ['index.p99', 0.99],
] as const;

function LatencyFigures({ latency }: { readonly latency: Durations }) {
  return (
    <>
      <h3>{t('index.latency')}</h3>
      <dl class="figures">
        {SHARES.map(([name, share]) => (
          <div key={name}>
            <dt>{t(name)}</dt>
            <dd>{formatPercentile(latency, share)}</dd>
          </div>
        ))}
      </dl>
      <p class="quiet small">{latency.count === 0 ? t('index.noRequests') : t('index.latencyHint')}</p>
    </>
  );
}

function formatPercentile(latency: Durations, share: number): string {
  const found = percentile(latency, share);
  if (found === undefined) return '–';
  return `${found.isMore ? '> ' : ''}${formatMs(found.seconds * 1000)} ms`;
}

function Rates({ lately }: { readonly lately: Lately }) {
  const { latency, shed, degraded, perSecond } = lately;
  const asked = latency.count + shed;
  return (
    <dl class="figures">
      <div>
        <dt>{t('index.rankRate')}</dt>
        <dd>{latency.count}</dd>
        <dd class="quiet small">
          {perSecond === undefined ? '' : t('index.perSecond', { rate: perSecond.toFixed(1) })}
        </dd>
      </div>
      <div>
        <dt>{t('index.shed')}</dt>
        <dd>{asked === 0 ? '–' : formatShare(shed / asked)}</dd>
        <dd class="quiet small">{t('index.shedHint')}</dd>
      </div>
      <div>
        <dt>{t('index.degradedRate')}</dt>
        <dd>{latency.count === 0 ? '–' : formatShare(Math.min(1, degraded / latency.count))}</dd>
        <dd class="quiet small">{t('index.degradedHint')}</dd>
      </div>
    </dl>
  );
}
