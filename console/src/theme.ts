import { effect, signal } from '@preact/signals';

export type Theme = 'auto' | 'light' | 'dark';

const KEPT_AS = 'coverrank.theme';
const THEMES: readonly Theme[] = ['auto', 'light', 'dark'];

/** `auto` follows the system. */
export const theme = signal<Theme>('auto');

export function startTheme(): void {
  const kept = localStorage.getItem(KEPT_AS);
  theme.value = THEMES.find((each) => each === kept) ?? 'auto';
  effect(() => {
    if (theme.value === 'auto') delete document.documentElement.dataset['theme'];
    else document.documentElement.dataset['theme'] = theme.value;
  });
}

export function nextTheme(): void {
  theme.value = THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length] ?? 'auto';
  localStorage.setItem(KEPT_AS, theme.value);
}
