import { useConsole } from '../console-context.ts';
import { SettingsPanel } from '../elements/settings-panel.tsx';
import { useIsWide } from '../elements/use-is-wide.ts';
import { t } from '../language/language.ts';
import { effectiveDepths } from '../ranking/rank-settings.ts';
import type { RankedQuery } from '../ranking/ranked-query.ts';

/** The settings of one side: in short, and to be opened. */
export function SideSettings({ name, side }: { readonly name: 'A' | 'B'; readonly side: RankedQuery }) {
  const offered = useConsole().settings.value;
  const isWide = useIsWide();
  const { weights, service, deadlineMs } = side.settings.value;
  const depths = offered === undefined ? undefined : effectiveDepths(side.settings.value, offered);
  return (
    <details class={`panel side side-${name}`} open={isWide}>
      <summary>
        <strong>{t('compare.setting', { name })}</strong>
        <span class="quiet small">
          {service ?? t('settings.thisService')}
          {depths === undefined
            ? ''
            : ` · ${t('settings.recallK')} ${depths.recallK} · ${t('settings.rerankK')} ${depths.rerankK} · ${deadlineMs} ms`}
          {weights === undefined ? '' : ` · ${t('settings.ownWeights')}`}
        </span>
      </summary>
      <SettingsPanel settings={side.settings} onChange={() => void side.ask()} />
    </details>
  );
}
