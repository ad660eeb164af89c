import { t } from '../language/language.ts';
import { weightOf } from '../ranking/weigh.ts';
import type { Weights } from '../service/types.ts';
import { formatScore } from './format.ts';
import { signalClass } from './signal-colour.ts';

interface SignalTableProps {
  readonly signals: Weights;
  /** What of the signals counts in the score. */
  readonly contributions: Weights;
  readonly total: number;
}

/** Every signal with its weight and what it contributes; the last column adds up to the score. */
export function SignalTable({ signals, contributions, total }: SignalTableProps) {
  const terms = Object.entries(signals).map(([name, value]) => ({ name, value, contribution: contributions[name] }));
  const largest = Math.max(...Object.values(contributions).map(Math.abs), 1e-9);
  return (
    <table class="signal-table">
      <thead>
        <tr>
          <th scope="col">{t('details.signal')}</th>
          <th scope="col">{t('details.value')}</th>
          <th scope="col">{t('details.weight')}</th>
          <th scope="col">{t('details.contribution')}</th>
        </tr>
      </thead>
      <tbody>
        {terms.map(({ name, value, contribution }) => (
          <tr key={name} class={contribution === undefined ? 'is-unweighted' : ''}>
            <th scope="row">
              <span class={`dot ${signalClass(name)}`} aria-hidden="true" />
              {name}
            </th>
            <td>{formatScore(value)}</td>
            <td>{formatWeight(weightOf(value, contribution))}</td>
            <td>
              <span class="meter" aria-hidden="true">
                <span
                  class={signalClass(name)}
                  style={{ width: `${(100 * Math.abs(contribution ?? 0)) / largest}%` }}
                />
              </span>
              {contribution === undefined ? '–' : formatScore(contribution)}
            </td>
          </tr>
        ))}
      </tbody>
      <tfoot>
        <tr>
          <th scope="row" colSpan={3}>
            {t('details.sum')}
          </th>
          <td>{formatScore(total)}</td>
        </tr>
      </tfoot>
    </table>
  );
}

function formatWeight(weight: number | undefined): string {
  return weight === undefined ? '–' : `× ${Math.round(weight * 1000) / 1000}`;
}
