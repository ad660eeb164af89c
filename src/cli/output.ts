import Table from 'cli-table3';

/** Writes one line to stdout. */
export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Writes one line of JSON to stdout. */
export function printJson(value: unknown): void {
  print(JSON.stringify(value));
}

/** Writes one line to stderr, where it does not mix with results. */
export function note(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** A plain table without colours; columns of numbers go to the right. */
export function formatTable(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const table = new Table({
    head: [...head],
    style: { head: [], border: [], compact: true },
    colAligns: head.map((_, column) => (typeof rows[0]?.[column] === 'number' ? 'right' : 'left')),
  });
  table.push(...rows.map((row) => row.map((cell) => (typeof cell === 'number' ? formatNumber(cell) : cell))));
  return table.toString();
}

function formatNumber(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toFixed(4);
}
