import { useComputed, useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { useConsole } from '../console-context.ts';
import { Degraded } from '../elements/degraded.tsx';
import { formatCount, formatMs } from '../elements/format.ts';
import { Failure } from '../elements/notice.tsx';
import { QueryField } from '../elements/query-field.tsx';
import { SettingsPanel } from '../elements/settings-panel.tsx';
import { useIsWide } from '../elements/use-is-wide.ts';
import { t } from '../language/language.ts';
import type { RankedQuery } from '../ranking/ranked-query.ts';
import { keepInAddress, route } from '../route.ts';
import { CurlPanel } from './curl-panel.tsx';
import { HitDetails } from './hit-details.tsx';
import { HitGrid } from './hit-grid.tsx';
import { SearchStart } from './search-start.tsx';
import { Timings } from './timings.tsx';

/** Search as you type, and what put each cover in its place. */
export function SearchView() {
  const { states, announce, keys } = useConsole();
  const { search } = states;
  const chosen = useSignal<string | undefined>(undefined);
  const showsSettings = useSignal(false);
  const answered = search.answered.value;
  const { key } = keys;
  const isWide = useIsWide();

  useEffect(() => {
    const wanted = route.value.params.get('q');
    if (wanted !== null) search.type(wanted);
  }, [search, route.value]);
  useEffect(() => {
    if (key.value !== '' && search.query.peek() !== '') void search.ask();
  }, [search, key, key.value]);
  useEffect(() => {
    if (answered === undefined) return;
    keepInAddress('search', { q: answered.request.query });
    announce(summaryOf(search));
  }, [announce, answered, search]);

  const hit = useComputed(() => {
    const hits = search.answered.value?.ranking.results ?? [];
    return hits.find(({ id }) => id === chosen.value) ?? hits[0];
  });

  const details = hit.value === undefined ? null : <HitDetails hit={hit.value} />;

  return (
    <div class="view">
      <h1 class="unseen">{t('search.title')}</h1>
      <div class="search-bar">
        <QueryField
          value={search.query.value}
          busy={search.busy.value}
          onType={search.type}
          onAsk={() => void search.ask()}
        />
        <button
          type="button"
          class="button"
          aria-expanded={showsSettings.value}
          aria-controls="search-settings"
          onClick={() => {
            showsSettings.value = !showsSettings.value;
          }}
        >
          {t('settings.title')}
        </button>
      </div>
      <div id="search-settings" hidden={!showsSettings.value} class="panel">
        {showsSettings.value ? <SettingsPanel settings={search.settings} onChange={() => void search.ask()} /> : null}
      </div>
      {search.error.value === undefined ? null : <Failure error={search.error.value} retry={() => void search.ask()} />}
      {answered === undefined ? (
        <SearchStart hasFailed={search.error.value !== undefined} onChoose={search.type} />
      ) : (
        <div class={`results ${search.busy.value ? 'is-stale' : ''}`}>
          <section class="results-main" aria-label={t('search.results')}>
            <p class="results-summary quiet small">
              {summaryOf(search)}
              {answered.ranking.query_truncated ? ` · ${t('search.truncated')}` : ''}
            </p>
            <Degraded degraded={answered.ranking.degraded} />
            <HitGrid
              hits={answered.ranking.results}
              chosen={hit.value?.id}
              onChoose={(id) => (chosen.value = id)}
              details={isWide || hit.value?.id !== chosen.value ? undefined : details}
            />
          </section>
          <aside class="results-side">
            {isWide ? details : null}
            <Timings timings={answered.ranking.timings_ms} />
            <CurlPanel answered={answered} />
          </aside>
        </div>
      )}
    </div>
  );
}

function summaryOf({ answered }: RankedQuery): string {
  const { ranking } = answered.value ?? {};
  if (ranking === undefined) return '';
  if (ranking.results.length === 0) return t('search.nothing');
  return t('search.summary', {
    count: formatCount(ranking.results.length),
    ms: formatMs(ranking.timings_ms?.total ?? 0),
  });
}
