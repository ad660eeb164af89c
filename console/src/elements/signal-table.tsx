import { t } from '../language/language.ts';
import type { Weights } from '../service/types.ts';
import { formatScore } from './format.ts';
import { signalClass } from './signal-colour.ts';

interface SignalTableProps {
  readonly signals: Weights;
  readonly weights: Weights;
  readonly total: number;
}

/** Every signal with its weight and what it contributes; the last column adds up to the score. */
export function SignalTable({ signals, weights, total }: SignalTableProps) {
  const terms = Object.entries(signals).map(([name, value]) => ({ name, value, weight: weights[name] ?? 0 }));
  const largest = Math.max(...terms.map(({ value, weight }) => Math.abs(value * weight)), 1e-9);
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
        {terms.map(({ name, value, weight }) => (
          <tr key={name} class={weight === 0 ? 'is-unweighted' : ''}>
            <th scope="row">
              <span class={`dot ${signalClass(name)}`} aria-hidden="true" />
              {name}
            </th>
            <td>{formatScore(value)}</td>
            <td>{weight === 0 ? '0' : `× ${formatWeight(weight)}`}</td>
            <td>
              <span class="meter" aria-hidden="true">
                <span class={signalClass(name)} style={{ width: `${(100 * Math.abs(value * weight)) / largest}%` }} />
              </span>
              {weight === 0 ? '–' : formatScore(value * weight)}
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

function formatWeight(weight: number): string {
  return String(Math.round(weight * 1000) / 1000);
}
