import { t } from '../language/language.ts';
import type { Ranking } from '../service/types.ts';
import { Notice } from './notice.tsx';

interface DegradedProps {
  readonly degraded: Ranking['degraded'];
  /** Whose answer it is, where there are several. */
  readonly name?: string;
}

/** What the answer lost, in words; nothing where it lost nothing. */
export function Degraded({ degraded, name }: DegradedProps) {
  if (degraded.length === 0) return null;
  return (
    <Notice kind="warning" title={name === undefined ? t('degraded.title') : `${name}: ${t('degraded.title')}`}>
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
