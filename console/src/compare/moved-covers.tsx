import { useSignal } from '@preact/signals';
import { formatScore } from '../elements/format.ts';
import { Picture } from '../elements/picture.tsx';
import { t } from '../language/language.ts';
import type { Hit, Ranking } from '../service/types.ts';

/** Rows have one height, so that a line's ends follow from ranks alone. In the units of the drawing. */
const ROW = 56;
const WIDTH = 100;

/** Both rankings beside each other, with a line from each cover's place in one to its place in the other. */
export function MovedCovers({ a, b }: { readonly a: Ranking; readonly b: Ranking }) {
  const pointed = useSignal<string | undefined>(undefined);
  const rows = Math.max(a.results.length, b.results.length);
  const inB = new Map(b.results.map((hit) => [hit.id, hit]));
  const inA = new Map(a.results.map((hit) => [hit.id, hit]));
  const isSame =
    rows > 0 && a.results.length === b.results.length && a.results.every(({ id }, row) => b.results[row]?.id === id);
  return (
    <>
      {isSame ? <p class="quiet">{t('compare.same')}</p> : null}
      <div class="moved">
        <RankedColumn
          name="A"
          hits={a.results}
          other={inB}
          pointed={pointed.value}
          onPoint={(id) => (pointed.value = id)}
        />
        <svg
          class="links"
          viewBox={`0 0 ${WIDTH} ${rows * ROW}`}
          preserveAspectRatio="none"
          aria-hidden="true"
          style={{ height: `${rows * ROW}px` }}
        >
          {a.results.map((hit, row) => {
            const other = inB.get(hit.id);
            if (other === undefined) return null;
            return (
              <path
                key={hit.id}
                class={`link link-${directionOf(hit, other)} ${pointed.value === hit.id ? 'is-pointed' : ''}`}
                d={linkPath(row, b.results.indexOf(other))}
              />
            );
          })}
        </svg>
        <RankedColumn
          name="B"
          hits={b.results}
          other={inA}
          pointed={pointed.value}
          onPoint={(id) => (pointed.value = id)}
        />
      </div>
    </>
  );
}

function linkPath(from: number, to: number): string {
  const [y1, y2] = [(from + 0.5) * ROW, (to + 0.5) * ROW];
  return `M0 ${y1} C${WIDTH / 2} ${y1} ${WIDTH / 2} ${y2} ${WIDTH} ${y2}`;
}

function directionOf(here: Hit, there: Hit): 'same' | 'up' | 'down' {
  if (here.rank === there.rank) return 'same';
  return there.rank < here.rank ? 'up' : 'down';
}

interface RankedColumnProps {
  readonly name: 'A' | 'B';
  readonly hits: readonly Hit[];
  /** The other ranking, by id. */
  readonly other: ReadonlyMap<string, Hit>;
  readonly pointed: string | undefined;
  readonly onPoint: (id: string | undefined) => void;
}

function RankedColumn({ name, hits, other, pointed, onPoint }: RankedColumnProps) {
  return (
    <ol class="moved-column" aria-label={t('compare.setting', { name })}>
      {hits.map((hit) => {
        const there = other.get(hit.id);
        return (
          <li
            key={hit.id}
            class={`moved-row ${pointed === hit.id ? 'is-pointed' : ''} ${there === undefined ? 'is-alone' : ''}`}
            onPointerEnter={() => onPoint(hit.id)}
            onPointerLeave={() => onPoint(undefined)}
          >
            <span class="moved-rank">{hit.rank}</span>
            <Picture id={hit.id} label="" />
            <span class="moved-text">
              <span class="moved-title">{hit.cover?.title ?? hit.id}</span>
              <span class="quiet small">
                {formatScore(hit.relevance_score)}
                {name === 'B' || there === undefined ? <MoveFromOther hit={hit} there={there} /> : null}
              </span>
            </span>
          </li>
        );
      })}
    </ol>
  );
}

/** Told in B only: a move is from A to B. */
function MoveFromOther({ hit, there }: { readonly hit: Hit; readonly there: Hit | undefined }) {
  if (there === undefined) return <span class="tag">{t('compare.onlyHere')}</span>;
  const count = there.rank - hit.rank;
  if (count === 0) return null;
  return (
    <span class={`move move-${count > 0 ? 'up' : 'down'}`}>
      {' '}
      {count > 0 ? '▲' : '▼'}
      {Math.abs(count)}
    </span>
  );
}
