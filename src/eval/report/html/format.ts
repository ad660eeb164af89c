import type { Interval } from '../../statistics/bootstrap.ts';

/** Metrics as the field prints them. */
export function formatFigure(value: number | null): string {
  if (value === null) return '–';
  return Math.abs(value) >= 10 ? value.toFixed(1) : value.toFixed(4);
}

export function formatGain(value: number | null): string {
  return value === null ? '–' : `${value > 0 ? '+' : ''}${formatFigure(value)}`;
}

export function formatInterval(interval: Interval | null): string {
  return interval === null ? '–' : `${formatFigure(interval.low)} … ${formatFigure(interval.high)}`;
}

export function formatP(pValue: number | null): string {
  if (pValue === null) return '–';
  return pValue < 0.001 ? '< 0.001' : pValue.toFixed(3);
}

export function formatCount(count: number): string {
  return count.toLocaleString('en-US');
}

/** Ticks of an axis: as few digits as tell them apart. */
export function formatTick(value: number): string {
  return String(Number(value.toPrecision(6)));
}
