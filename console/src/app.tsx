import type { ComponentType } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { ComparisonView } from './compare/comparison-view.tsx';
import { useConsole } from './console-context.ts';
import { CoversView } from './covers/covers-view.tsx';
import { Notice } from './elements/notice.tsx';
import { ExplainView } from './explain/explain-view.tsx';
import { Header } from './header.tsx';
import { JudgeView } from './judge/judge-view.tsx';
import { language, t } from './language/language.ts';
import { route, type View } from './route.ts';
import { SearchView } from './search/search-view.tsx';

const COMPONENTS: Readonly<Record<View, ComponentType>> = {
  search: SearchView,
  compare: ComparisonView,
  judge: JudgeView,
  explain: ExplainView,
  covers: CoversView,
};

export function App() {
  const { view } = route.value;
  const main = useRef<HTMLElement>(null);
  const isFirst = useRef(true);
  useEffect(() => {
    document.title = `${t(`view.${view}`)} · coverrank`;
  }, [view, language.value]);
  useEffect(() => {
    // Whoever follows a link by keyboard or ear goes on in the view that it leads to.
    if (!isFirst.current) main.current?.focus();
    isFirst.current = false;
  }, [view]);
  const Shown = COMPONENTS[view];
  return (
    <>
      <button type="button" class="skip" onClick={() => main.current?.focus()}>
        {t('app.skip')}
      </button>
      <Header />
      <main id="main" ref={main} tabIndex={-1}>
        <HealthNotice />
        <Shown />
      </main>
    </>
  );
}

function HealthNotice() {
  const state = useConsole().health.state.value;
  if (state === 'ready' || state === 'looking') return null;
  return (
    <Notice kind={state === 'down' ? 'error' : 'warning'} title={t(`health.${state}`)}>
      {t(`health.${state}Notice`)}
    </Notice>
  );
}
