import { formatMs } from '../elements/format.ts';
import { t } from '../language/language.ts';
import type { Ranking } from '../service/types.ts';

const STAGES = ['queue', 'tokenize', 'embed', 'recall', 'rerank', 'fuse'] as const;

/** A waterfall: the stages follow one another, so each bar begins where the one before it ended. */
export function Timings({ timings }: { readonly timings: Ranking['timings_ms'] }) {
  if (timings === undefined) return null;
  const total = Math.max(timings.total, 0.001);
  let startedAt = 0;
  const rows = STAGES.map((stage) => {
    const row = { stage, from: startedAt, ms: timings[stage] };
    startedAt += timings[stage];
    return row;
  });
  return (
    <section class="panel" aria-labelledby="timings-title">
      <h2 id="timings-title">{t('timings.title')}</h2>
      <table class="waterfall">
        <tbody>
          {rows.map(({ stage, from, ms }) => (
            <tr key={stage}>
              <th scope="row">{t(`timings.${stage}`)}</th>
              <td class="waterfall-track" aria-hidden="true">
                <span style={{ left: `${share(from, total)}%`, width: `${share(ms, total)}%` }} />
              </td>
              <td>{formatMs(ms)} ms</td>
            </tr>
          ))}
        </tbody>
        <tfoot>
          <tr>
            <th scope="row">{t('timings.total')}</th>
            <td aria-hidden="true" />
            <td>{formatMs(timings.total)} ms</td>
          </tr>
        </tfoot>
      </table>
    </section>
  );
}

function share(ms: number, total: number): number {
  return Math.min(100, (100 * ms) / total);
}
