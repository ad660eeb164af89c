/** Numbers as a reader wants them: three significant digits, thousands kept whole. */
export function formatNumber(value: number): string {
  if (value === 0) return '0';
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString('en-US');
  return String(Number(value.toPrecision(3)));
}

export function formatMs(ms: number | null): string {
  return ms === null ? '–' : `${formatNumber(ms)} ms`;
}

export function formatShare(share: number): string {
  return `${formatNumber(share * 100)} %`;
}

/** A figure with its unit: `ms`, `1/s` or `share`. */
export function formatQuantity(value: number, unit: string): string {
  if (unit === 'share') return formatShare(value);
  return `${formatNumber(value)} ${unit}`;
}

export function formatNoise(noise: number | null): string {
  return noise === null ? 'not known' : `± ${noise.toFixed(3)}`;
}

export function formatRatio(ratio: number | null): string {
  return ratio === null ? '–' : ratio.toFixed(3);
}
