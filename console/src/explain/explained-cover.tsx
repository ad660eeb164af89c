import { Degraded } from '../elements/degraded.tsx';
import { FilePicture } from '../elements/file-picture.tsx';
import { formatCount, formatScore } from '../elements/format.ts';
import { Picture } from '../elements/picture.tsx';
import { SignalTable } from '../elements/signal-table.tsx';
import { t } from '../language/language.ts';
import { hasRerankSignals } from '../ranking/weigh.ts';
import type { Hit } from '../service/types.ts';
import { type Explained, idOf } from './explanation.ts';

export function ExplainedCover({ explained }: { readonly explained: Explained }) {
  const { query, subject, place, signals, rerankK, degraded } = explained;
  return (
    <div class="explained">
      <section class="panel" aria-labelledby="explained-title">
        <h2 id="explained-title" class="verdict">
          {verdictOf(explained)}
        </h2>
        <p class="quiet">
          {t('explain.asked', { query, subject: 'id' in subject ? subject.id : subject.picture.name })}
        </p>
        <Degraded degraded={degraded} />
        {'rank' in place && place.stage === 'recall' ? <p>{whyNotReranked(explained)}</p> : null}
        <div class="details-head">
          {'id' in subject ? <Picture id={subject.id} label={subject.id} /> : <FilePicture file={subject.picture} />}
          <dl class="figures">
            <div>
              <dt>{t('explain.recallRank')}</dt>
              <dd>{place.kind === 'beyond' ? `> ${formatCount(place.recallRank)}` : formatCount(place.recallRank)}</dd>
              <dd class="quiet small">{t('explain.recallRankMeaning')}</dd>
            </div>
            <div>
              <dt>{t('explain.finalRank')}</dt>
              <dd>{'rank' in place ? formatCount(place.rank) : '–'}</dd>
              <dd class="quiet small">{t('explain.finalRankMeaning', { rerankK: formatCount(rerankK) })}</dd>
            </div>
          </dl>
        </div>
        <SignalTable signals={signals} contributions={place.contributions} total={place.score} />
      </section>
      <Neighbours explained={explained} />
    </div>
  );
}

export function verdictOf({ place, recallK }: Explained): string {
  switch (place.kind) {
    case 'ranked':
      return t('explain.ranked', { rank: formatCount(place.rank) });
    case 'hypothetical':
      return t('explain.hypothetical', { rank: formatCount(place.rank) });
    case 'not recalled':
      return t('explain.notRecalled', { above: formatCount(place.recallRank - 1), recallK: formatCount(recallK) });
    case 'beyond':
      return t('explain.beyond', { count: formatCount(place.recallRank) });
  }
}

function whyNotReranked({ place, signals, rerankK }: Explained): string {
  if (place.recallRank > rerankK) {
    return t('explain.recallOnly', { recallRank: formatCount(place.recallRank), rerankK: formatCount(rerankK) });
  }
  return hasRerankSignals(signals) ? '' : t('explain.noTokens');
}

const AROUND = 3;
const TOP = 6;

/** The covers before and behind its place, or the best ones where it has none. */
function Neighbours({ explained }: { readonly explained: Explained }) {
  const { place, hits, subject } = explained;
  const others = hits.filter(({ id }) => id !== idOf(subject));
  const rank = 'rank' in place ? place.rank : undefined;
  const from = rank === undefined ? 0 : Math.max(0, rank - 1 - AROUND);
  const shown = others.slice(from, rank === undefined ? TOP : from + 2 * AROUND);
  return (
    <section class="panel" aria-labelledby="neighbours-title">
      <h2 id="neighbours-title">{t(rank === undefined ? 'explain.top' : 'explain.neighbours')}</h2>
      <ol class="neighbours">
        {shown.map((hit, position) => (
          <>
            {rank !== undefined && from + position === rank - 1 ? <Own key="own" explained={explained} /> : null}
            <Neighbour key={hit.id} hit={hit} rank={rankAmong(from + position, rank)} />
          </>
        ))}
        {rank !== undefined && from + shown.length < rank ? <Own explained={explained} /> : null}
      </ol>
    </section>
  );
}

/** Places behind its own move down by one. */
function rankAmong(position: number, own: number | undefined): number {
  return own !== undefined && position >= own - 1 ? position + 2 : position + 1;
}

function Own({ explained: { place } }: { readonly explained: Explained }) {
  return (
    <li class="neighbour is-own">
      <span class="moved-rank">{'rank' in place ? place.rank : ''}</span>
      <strong>{t('explain.thisCover')}</strong>
      <span class="neighbour-score">{formatScore(place.score)}</span>
    </li>
  );
}

function Neighbour({ hit, rank }: { readonly hit: Hit; readonly rank: number }) {
  return (
    <li class="neighbour">
      <span class="moved-rank">{rank}</span>
      <Picture id={hit.id} label="" />
      <span class="moved-title">{hit.cover?.title ?? hit.id}</span>
      <span class="neighbour-score">{formatScore(hit.relevance_score)}</span>
    </li>
  );
}
