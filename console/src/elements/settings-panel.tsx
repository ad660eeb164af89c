import type { Signal } from '@preact/signals';
import { useId } from 'preact/hooks';
import { useConsole } from '../console-context.ts';
import { t } from '../language/language.ts';
import { effectiveDepths, FIRST_SETTINGS, type RankSettings } from '../ranking/rank-settings.ts';
import type { Settings, Weights } from '../service/types.ts';
import { NumberField } from './number-field.tsx';
import { NumberInput } from './number-input.tsx';
import { signalClass } from './signal-colour.ts';

interface SettingsPanelProps {
  readonly settings: Signal<RankSettings>;
  readonly onChange: () => void;
}

/** Everything that a ranking can be asked to do differently. */
export function SettingsPanel({ settings, onChange }: SettingsPanelProps) {
  const offered = useConsole().settings.value;
  if (offered === undefined) return <p class="quiet">{t('word.loadingPage')}</p>;
  const current = settings.value;
  const change = (changes: Partial<RankSettings>): void => {
    settings.value = { ...settings.value, ...changes };
    onChange();
  };
  const depths = effectiveDepths(current, offered);
  return (
    <div class="settings">
      <div class="settings-numbers">
        <NumberField
          label={t('settings.topN')}
          value={current.topN}
          min={1}
          max={200}
          onChange={(topN) => change({ topN: topN ?? FIRST_SETTINGS.topN })}
        />
        <NumberField
          label={t('settings.recallK')}
          value={current.recallK}
          min={current.topN}
          max={offered.limits.recall_k}
          placeholder={String(depths.recallK)}
          onChange={(recallK) => change({ recallK })}
        />
        <NumberField
          label={t('settings.rerankK')}
          value={current.rerankK}
          min={0}
          max={depths.recallK}
          placeholder={String(depths.rerankK)}
          onChange={(rerankK) => change({ rerankK })}
        />
        <NumberField
          label={t('settings.deadline')}
          value={current.deadlineMs}
          min={1}
          max={offered.limits.deadline_ms}
          onChange={(deadlineMs) => change({ deadlineMs: deadlineMs ?? FIRST_SETTINGS.deadlineMs })}
        />
        <ServiceField offered={offered} chosen={current.service} onChange={(service) => change({ service })} />
      </div>
      <WeightFields offered={offered} weights={current.weights} onChange={(weights) => change({ weights })} />
      <button type="button" class="button button-quiet" onClick={() => change(FIRST_SETTINGS)}>
        {t('settings.reset')}
      </button>
    </div>
  );
}

interface ServiceFieldProps {
  readonly offered: Settings;
  readonly chosen: string | undefined;
  readonly onChange: (service: string | undefined) => void;
}

/** Another service, with another bundle say; nothing to choose where the operator configured none. */
function ServiceField({ offered, chosen, onChange }: ServiceFieldProps) {
  const id = useId();
  if (offered.services.length === 0) return null;
  return (
    <div class="field">
      <label for={id}>{t('settings.service')}</label>
      <select id={id} value={chosen ?? ''} onChange={({ currentTarget }) => onChange(currentTarget.value || undefined)}>
        <option value="">{t('settings.thisService')}</option>
        {offered.services.map((name) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
      </select>
    </div>
  );
}

interface WeightFieldsProps {
  readonly offered: Settings;
  readonly weights: Weights | undefined;
  readonly onChange: (weights: Weights | undefined) => void;
}

const MAX_WEIGHT = 1_000_000;

function WeightFields({ offered, weights, onChange }: WeightFieldsProps) {
  const id = useId();
  const shown = weights ?? offered.weights;
  return (
    <fieldset class="weights">
      <legend>{t('settings.weights')}</legend>
      <label class="check">
        <input
          type="checkbox"
          checked={weights !== undefined}
          onChange={({ currentTarget }) => onChange(currentTarget.checked ? offered.weights : undefined)}
        />
        {t('settings.ownWeights')}
      </label>
      <div class="weight-fields">
        {offered.signals.map((signal) => (
          <label key={signal} for={`${id}-${signal}`} class="weight">
            <span class={`dot ${signalClass(signal)}`} aria-hidden="true" />
            <span>{signal}</span>
            <NumberInput
              id={`${id}-${signal}`}
              value={shown[signal] ?? 0}
              min={-MAX_WEIGHT}
              max={MAX_WEIGHT}
              step={0.1}
              disabled={weights === undefined}
              onChange={(weight) => onChange({ ...shown, [signal]: weight ?? offered.weights[signal] ?? 0 })}
            />
          </label>
        ))}
      </div>
    </fieldset>
  );
}
