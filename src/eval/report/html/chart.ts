import { escapeHtml } from './escape.ts';
import type { Scale } from './scale.ts';

export const CHART = { width: 760, height: 280, left: 62, right: 16, top: 12, bottom: 46 } as const;
export const PLOT = {
  x: [CHART.left, CHART.width - CHART.right],
  y: [CHART.height - CHART.bottom, CHART.top],
} as const;

export interface Tick {
  readonly value: number;
  readonly label: string;
}

export interface Axis {
  readonly scale: Scale;
  readonly ticks: readonly Tick[];
  readonly label: string;
}

export interface Series {
  readonly name: string;
  /** A class of the page's style sheet, which gives it its colour. */
  readonly className: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

/** Lines over two axes as inline SVG, with a legend where there is more than one. */
export function lineChart(title: string, x: Axis, y: Axis, series: readonly Series[]): string {
  const lines = series.map(({ className, points }) => {
    const path = points.map((point) => `${px(x.scale(point.x))},${px(y.scale(point.y))}`).join(' ');
    return `<polyline class="line ${className}" points="${path}"/>`;
  });
  return frame(title, `${horizontalAxis(x)}${verticalAxis(y)}${lines.join('')}`) + legend(series);
}

/** The drawing with its accessible name. */
export function frame(title: string, content: string, height: number = CHART.height): string {
  return (
    `<svg viewBox="0 0 ${CHART.width} ${height}" role="img" aria-label="${escapeHtml(title)}">` +
    `<title>${escapeHtml(title)}</title>${content}</svg>`
  );
}

export function legend(series: readonly Pick<Series, 'name' | 'className'>[]): string {
  if (series.length < 2) return '';
  const entries = series.map(
    ({ name, className }) => `<li><span class="swatch ${className}"></span>${escapeHtml(name)}</li>`,
  );
  return `<ul class="legend">${entries.join('')}</ul>`;
}

function horizontalAxis({ scale, ticks, label }: Axis): string {
  const [bottom] = PLOT.y;
  const marks = ticks.map(({ value, label: text }) => {
    const x = px(scale(value));
    return (
      `<line class="grid" x1="${x}" x2="${x}" y1="${CHART.top}" y2="${bottom}"/>` +
      `<text class="tick" x="${x}" y="${bottom + 16}" text-anchor="middle">${escapeHtml(text)}</text>`
    );
  });
  const middle = (PLOT.x[0] + PLOT.x[1]) / 2;
  return (
    `${marks.join('')}<text class="axis" x="${middle}" y="${CHART.height - 8}" ` +
    `text-anchor="middle">${escapeHtml(label)}</text>`
  );
}

function verticalAxis({ scale, ticks, label }: Axis): string {
  const marks = ticks.map(({ value, label: text }) => {
    const y = px(scale(value));
    return (
      `<line class="grid" x1="${PLOT.x[0]}" x2="${PLOT.x[1]}" y1="${y}" y2="${y}"/>` +
      `<text class="tick" x="${CHART.left - 8}" y="${y}" dy="0.32em" text-anchor="end">${escapeHtml(text)}</text>`
    );
  });
  const middle = (PLOT.y[0] + PLOT.y[1]) / 2;
  return (
    `${marks.join('')}<text class="axis" transform="translate(14 ${middle}) rotate(-90)" ` +
    `text-anchor="middle">${escapeHtml(label)}</text>`
  );
}

/** A tenth of a pixel is finer than any screen shows. */
export function px(value: number): string {
  return String(Math.round(value * 10) / 10);
}
