/** Places a value of the data on an axis of the chart, in pixels. */
export type Scale = (value: number) => number;

export function linearScale(domain: readonly [number, number], range: readonly [number, number]): Scale {
  const span = domain[1] - domain[0] || 1;
  return (value) => range[0] + ((value - domain[0]) / span) * (range[1] - range[0]);
}

/** For positive values; smaller ones than the domain's start are drawn at its edge. */
export function logScale(domain: readonly [number, number], range: readonly [number, number]): Scale {
  const linear = linearScale([Math.log10(domain[0]), Math.log10(domain[1])], range);
  return (value) => linear(Math.log10(Math.max(value, domain[0])));
}

/** Round numbers (1, 2 or 5 times a power of ten apart) from 0 to the first that is not below `max`. */
export function linearTicks(max: number, wanted = 5): number[] {
  const step = stepOf(max || 1, wanted);
  const count = Math.ceil((max || 1) / step - 1e-9);
  return Array.from({ length: count + 1 }, (_, index) => Number((index * step).toPrecision(12)));
}

/** 1, 2, 5, 10, 20, 50 … from the last not above `min` to the first not below `max`; both above 0. */
export function logTicks(min: number, max: number): number[] {
  const ticks: number[] = [];
  for (let power = Math.floor(Math.log10(min)); power <= Math.ceil(Math.log10(max)); power++) {
    ticks.push(...[1, 2, 5].map((factor) => Number((factor * 10 ** power).toPrecision(12))));
  }
  const first = ticks.findLastIndex((tick) => tick <= min);
  const last = ticks.findIndex((tick) => tick >= max && tick > min);
  return ticks.slice(Math.max(0, first), last + 1);
}

/** Round numbers from the last not above `min` to the first not below `max`. */
export function ticksBetween(min: number, max: number, wanted = 5): number[] {
  const step = stepOf(max - min || Math.abs(max) || 1, wanted);
  const from = Math.floor(min / step + 1e-9);
  const to = Math.max(from + 1, Math.ceil(max / step - 1e-9));
  return Array.from({ length: to - from + 1 }, (_, index) => Number(((from + index) * step).toPrecision(12)));
}

function stepOf(span: number, wanted: number): number {
  const rough = span / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  return ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10) * power;
}
