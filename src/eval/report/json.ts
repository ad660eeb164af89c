/**
 * A report as JSON: snake_case, typed arrays as lists, no NaN (a figure that cannot be told is null). Metrics keep their
 * names, which are values and no keys.
 */
export function reportJson(report: object): string {
  return `${JSON.stringify(snakeCased(report))}\n`;
}

function snakeCased(value: unknown): unknown {
  if (ArrayBuffer.isView(value)) return Array.from(value as Float64Array);
  if (Array.isArray(value)) return value.map(snakeCased);
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [snakeCase(key), snakeCased(inner)]));
}

function snakeCase(name: string): string {
  return name.replaceAll(/(?<=[a-z0-9])[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
