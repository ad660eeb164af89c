import { Move } from '../elements/move.tsx';
import { Picture } from '../elements/picture.tsx';
import { SignalTable } from '../elements/signal-table.tsx';
import { t } from '../language/language.ts';
import { linkTo } from '../route.ts';
import type { Hit } from '../service/types.ts';

/** Everything that is known of one cover in one ranking. */
export function HitDetails({ hit }: { readonly hit: Hit }) {
  return (
    <section class="panel details" aria-labelledby="details-title">
      <h2 id="details-title">{t('details.title')}</h2>
      <div class="details-head">
        <Picture id={hit.id} label={hit.cover?.title ?? hit.id} />
        <div>
          <p class="details-name">{hit.cover?.title ?? t('hit.untitled')}</p>
          <p class="quiet small mono">{hit.id}</p>
          <dl class="facts">
            <dt>{t('details.rank')}</dt>
            <dd>
              {hit.rank} <Move hit={hit} />
            </dd>
            <dt>{t('details.recallRank')}</dt>
            <dd>{hit.recall_rank}</dd>
            <dt>{t('details.stage')}</dt>
            <dd>{t(`hit.stage.${hit.stage}`)}</dd>
          </dl>
        </div>
      </div>
      <SignalTable signals={hit.signals ?? {}} contributions={hit.contributions ?? {}} total={hit.relevance_score} />
      <Attributes hit={hit} />
      <a class="small" href={linkTo('explain', { id: hit.id })}>
        {t('details.explain')}
      </a>
    </section>
  );
}

function Attributes({ hit }: { readonly hit: Hit }) {
  const attributes = Object.entries(hit.cover?.attributes ?? {});
  if (attributes.length === 0) return null;
  return (
    <details>
      <summary>{t('details.attributes')}</summary>
      <dl class="facts">
        {attributes.map(([name, value]) => (
          <>
            <dt key={name}>{name}</dt>
            <dd>{Array.isArray(value) ? value.join(', ') : String(value)}</dd>
          </>
        ))}
      </dl>
    </details>
  );
}
