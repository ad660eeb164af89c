import { t } from '../language/language.ts';
import { DEPTH, type MeanAgreement } from './agreement-of.ts';

/** The figures of one query, or the means of a set. */
export function AgreementFigures({ agreement }: { readonly agreement: MeanAgreement }) {
  const figures = [
    [t('compare.overlap', { k: DEPTH }), agreement.overlap],
    [t('compare.rbo'), agreement.rbo],
    [t('compare.tau'), agreement.tau],
    [t('compare.ndcg', { name: 'A' }), agreement.ndcgA],
    [t('compare.ndcg', { name: 'B' }), agreement.ndcgB],
  ] as const;
  return (
    <dl class="figures">
      {figures.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{formatAgreement(value)}</dd>
        </div>
      ))}
    </dl>
  );
}

export function formatAgreement(value: number | undefined): string {
  return value === undefined ? '–' : value.toFixed(3);
}
