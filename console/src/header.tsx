import { useRef } from 'preact/hooks';
import { useConsole } from './console-context.ts';
import { KeyDialog } from './key-dialog.tsx';
import { chooseLanguage, language, t } from './language/language.ts';
import { linkTo, route, VIEWS } from './route.ts';
import { nextTheme, theme } from './theme.ts';

const THEME_SIGNS = { auto: '◐', light: '☀', dark: '☾' } as const;

export function Header() {
  const { health, keys } = useConsole();
  const dialog = useRef<HTMLDialogElement>(null);
  const state = health.state.value;
  return (
    <header class="header">
      <a class="brand" href={linkTo('search')}>
        <Mark />
        coverrank
      </a>
      <nav aria-label={t('app.views')}>
        <ul>
          {VIEWS.map((view) => (
            <li key={view}>
              <a href={linkTo(view)} aria-current={route.value.view === view ? 'page' : undefined}>
                {t(`view.${view}`)}
              </a>
            </li>
          ))}
        </ul>
      </nav>
      <div class="header-tools">
        <span class={`health health-${state}`} role="status">
          <span class="health-dot" aria-hidden="true" />
          <span class="health-word">{t(`health.${state}`)}</span>
        </span>
        <button type="button" class="tool" onClick={() => dialog.current?.showModal()}>
          {t('key.button')}
          {keys.key.value === '' ? null : (
            <>
              <span class="key-dot" aria-hidden="true" />
              <span class="unseen">{t('key.set')}</span>
            </>
          )}
        </button>
        <button
          type="button"
          class="tool"
          lang={language.value === 'zh' ? 'en' : 'zh-CN'}
          aria-label={t('app.languageLabel')}
          onClick={() => chooseLanguage(language.value === 'zh' ? 'en' : 'zh')}
        >
          {t('app.language')}
        </button>
        <button
          type="button"
          class="tool tool-sign"
          aria-label={t(`app.theme.${theme.value}`)}
          title={t(`app.theme.${theme.value}`)}
          onClick={nextTheme}
        >
          <span aria-hidden="true">{THEME_SIGNS[theme.value]}</span>
        </button>
        <a class="tool" href="/docs">
          {t('app.docs')}
        </a>
      </div>
      <KeyDialog dialog={dialog} />
    </header>
  );
}

function Mark() {
  return (
    <svg viewBox="0 0 32 32" width="24" height="24" aria-hidden="true">
      <rect width="32" height="32" rx="7" class="mark-ground" />
      <rect x="7" y="7" width="18" height="5" rx="1.5" class="mark-bar" />
      <rect x="7" y="14" width="13" height="5" rx="1.5" class="mark-bar" opacity=".72" />
      <rect x="7" y="21" width="8" height="5" rx="1.5" class="mark-bar" opacity=".45" />
    </svg>
  );
}
