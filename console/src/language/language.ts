import { effect, signal } from '@preact/signals';
import { en } from './en.ts';
import { zh } from './zh.ts';

export type Sentence = keyof typeof en;
export type Language = 'en' | 'zh';

const SENTENCES: Readonly<Record<Language, Readonly<Record<Sentence, string>>>> = { en, zh };
const KEPT_AS = 'coverrank.language';

/** One page has one language, so this is the page's and not a part of any view. */
export const language = signal<Language>('en');

/** A sentence in the page's language, with its values. */
export function t(sentence: Sentence, values: Readonly<Record<string, string | number>> = {}): string {
  return fill(SENTENCES[language.value][sentence], values);
}

export function fill(sentence: string, values: Readonly<Record<string, string | number>>): string {
  return sentence.replace(/\{(\w+)\}/g, (placeholder, name: string) => String(values[name] ?? placeholder));
}

/** Takes the language that was chosen before, or the browser's, and keeps the document in step with it. */
export function startLanguage(): void {
  const kept = localStorage.getItem(KEPT_AS);
  language.value = kept === 'zh' || kept === 'en' ? kept : navigator.language.startsWith('zh') ? 'zh' : 'en';
  effect(() => {
    document.documentElement.lang = language.value === 'zh' ? 'zh-CN' : 'en';
  });
}

export function chooseLanguage(chosen: Language): void {
  localStorage.setItem(KEPT_AS, chosen);
  language.value = chosen;
}
