/** Queries of a set at most: each costs two rankings in a comparison. */
export const MAX_QUERIES = 2_000;

/**
 * The queries of a pasted or uploaded text, each once: one a line, or a column of a file of judgements (query first) or
 * of TREC topics (number, then query). Comments begin with `#`.
 */
export function parseQuerySet(text: string): string[] {
  const queries = text
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .filter((line) => !line.startsWith('#'))
    .map(queryOfLine)
    .filter((query) => query !== '');
  return [...new Set(queries)].slice(0, MAX_QUERIES);
}

function queryOfLine(line: string): string {
  const [first = '', second] = line.split('\t');
  if (second !== undefined && /^\d+$/.test(first.trim())) return second.trim();
  if (first.startsWith('{')) return queryOfJson(first);
  return first.trim();
}

function queryOfJson(line: string): string {
  try {
    const { query } = JSON.parse(line) as { readonly query?: unknown };
    return typeof query === 'string' ? query.trim() : '';
  } catch {
    return '';
  }
}
