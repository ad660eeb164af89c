import { t } from '../language/language.ts';
import type { Hit } from '../service/types.ts';

/** How far a cover stands from where recall put it. */
export function Move({ hit }: { readonly hit: Pick<Hit, 'rank' | 'recall_rank'> }) {
  const count = hit.recall_rank - hit.rank;
  if (count === 0) {
    return (
      <span class="move" title={t('hit.moved.none')}>
        <span aria-hidden="true">＝</span>
        <span class="unseen">{t('hit.moved.none')}</span>
      </span>
    );
  }
  const direction = count > 0 ? 'up' : 'down';
  const words = t(`hit.moved.${direction}`, { count: Math.abs(count), from: hit.recall_rank });
  return (
    <span class={`move move-${direction}`} title={words}>
      <span aria-hidden="true">
        {count > 0 ? '▲' : '▼'}
        {Math.abs(count)}
      </span>
      <span class="unseen">{words}</span>
    </span>
  );
}
