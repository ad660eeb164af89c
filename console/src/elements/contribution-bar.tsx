import type { Weights } from '../service/types.ts';
import { signalClass } from './signal-colour.ts';

interface ContributionBarProps {
  readonly contributions: Weights;
  /** The contribution sum that fills the whole bar. */
  readonly full: number;
}

/** How large each signal's part in the score is. A picture for the eye; the numbers stand in the details. */
export function ContributionBar({ contributions, full }: ContributionBarProps) {
  return (
    <span class="contribution-bar" aria-hidden="true">
      {Object.entries(contributions).map(([signal, value]) => (
        <span
          key={signal}
          class={`${signalClass(signal)} ${value < 0 ? 'is-negative' : ''}`}
          style={{ width: `${full > 0 ? Math.min(100, (100 * Math.abs(value)) / full) : 0}%` }}
        />
      ))}
    </span>
  );
}

/** Sum of the sizes of all contributions, for the longest bar of a list. */
export function sizeOf(contributions: Weights): number {
  return Object.values(contributions).reduce((sum, value) => sum + Math.abs(value), 0);
}
