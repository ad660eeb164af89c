import { language } from '../language/language.ts';

/** A score or signal: four significant digits at most, so that columns stay narrow. */
export function formatScore(value: number): string {
  const size = Math.abs(value);
  return value.toFixed(size >= 100 ? 1 : size >= 10 ? 2 : 3);
}

/** Milliseconds as people read them: 0.06, 4.2, 31, 1,204. */
export function formatMs(ms: number): string {
  if (ms < 1) return ms.toFixed(2);
  return ms < 10 ? ms.toFixed(1) : formatCount(Math.round(ms));
}

export function formatCount(count: number): string {
  return new Intl.NumberFormat(language.value).format(count);
}

export function formatShare(share: number): string {
  return new Intl.NumberFormat(language.value, { style: 'percent', maximumFractionDigits: 1 }).format(share);
}

export function formatTime(iso: string): string {
  return new Intl.DateTimeFormat(language.value, { dateStyle: 'medium', timeStyle: 'short' }).format(new Date(iso));
}
