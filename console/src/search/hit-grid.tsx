import { type ComponentChildren, Fragment } from 'preact';
import { ContributionBar, sizeOf } from '../elements/contribution-bar.tsx';
import { formatScore } from '../elements/format.ts';
import { Move } from '../elements/move.tsx';
import { Picture } from '../elements/picture.tsx';
import { t } from '../language/language.ts';
import type { Hit } from '../service/types.ts';

interface HitGridProps {
  readonly hits: readonly Hit[];
  readonly chosen: string | undefined;
  readonly onChoose: (id: string) => void;
  /** Shown below the chosen cover, where there is no room beside the grid. */
  readonly details: ComponentChildren;
}

/** Steps that the arrow keys take from one cover to another. */
const STEPS: Readonly<Record<string, number>> = { ArrowLeft: -1, ArrowRight: 1 };

/** Covers in ranked order. Left and right go from one to the next. */
export function HitGrid({ hits, chosen, onChoose, details }: HitGridProps) {
  const full = Math.max(...hits.map(({ contributions }) => sizeOf(contributions ?? {})), 0);
  const onKeyDown = (event: KeyboardEvent): void => {
    const step = STEPS[event.key];
    const item = (event.target as HTMLElement).closest('li');
    if (step === undefined || item === null) return;
    const cards = [...(item.parentElement?.querySelectorAll<HTMLElement>('.hit') ?? [])];
    const place = cards.findIndex((card) => item.contains(card));
    event.preventDefault();
    cards[place + step]?.focus();
  };
  return (
    <ol class="hit-grid" onKeyDown={onKeyDown}>
      {hits.map((hit) => (
        <Fragment key={hit.id}>
          <li>
            <HitCard hit={hit} full={full} isChosen={hit.id === chosen} onChoose={() => onChoose(hit.id)} />
          </li>
          {hit.id === chosen && details !== undefined ? <li class="hit-details-row">{details}</li> : null}
        </Fragment>
      ))}
    </ol>
  );
}

interface HitCardProps {
  readonly hit: Hit;
  readonly full: number;
  readonly isChosen: boolean;
  readonly onChoose: () => void;
}

function HitCard({ hit, full, isChosen, onChoose }: HitCardProps) {
  const title = hit.cover?.title ?? t('hit.untitled');
  return (
    <button type="button" class="hit" aria-pressed={isChosen} onClick={onChoose} onFocus={onChoose}>
      <Picture id={hit.id} label="" />
      <span class="hit-title">
        <span class="hit-rank">
          <span class="unseen">{t('hit.rank', { rank: hit.rank })}</span>
          <span aria-hidden="true">{hit.rank}</span>
        </span>
        {title}
      </span>
      <span class="hit-facts">
        <span class="hit-score">
          <span class="unseen">{t('hit.score')}</span> {formatScore(hit.relevance_score)}
        </span>
        <Move hit={hit} />
        {hit.stage === 'recall' ? <span class="tag">{t('hit.stage.recall')}</span> : null}
      </span>
      <ContributionBar contributions={hit.contributions ?? {}} full={full} />
    </button>
  );
}
