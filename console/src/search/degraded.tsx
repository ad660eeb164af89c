import { Notice } from '../elements/notice.tsx';
import { t } from '../language/language.ts';
import type { Ranking } from '../service/types.ts';

/** What the answer lost, in words; nothing where it lost nothing. */
export function Degraded({ degraded }: { readonly degraded: Ranking['degraded'] }) {
  if (degraded.length === 0) return null;
  return (
    <Notice kind="warning" title={t('degraded.title')}>
      {degraded.map(({ stage, reason, reranked, wanted }) => (
        <p key={stage}>
          {t(`degraded.${stage}`, {
            reranked: reranked ?? 0,
            wanted: wanted ?? 0,
            reason: t(`degraded.reason.${reason}`),
          })}
        </p>
      ))}
    </Notice>
  );
}
