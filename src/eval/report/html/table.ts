import { escapeHtml } from './escape.ts';

/** Cells are text, escaped here. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const headCells = head.map((text) => `<th scope="col">${escapeHtml(text)}</th>`).join('');
  const bodyRows = rows.map((row) => `<tr>${row.map(cell).join('')}</tr>`);
  return `<div class="scroll"><table><thead><tr>${headCells}</tr></thead><tbody>${bodyRows.join('')}</tbody></table></div>`;
}

/** Two columns of names and texts, the texts wrapping. */
export function facts(rows: readonly (readonly [string, string])[]): string {
  const cells = rows.map(
    ([name, text]) => `<tr><td>${escapeHtml(name)}</td><td class="text">${escapeHtml(text)}</td></tr>`,
  );
  return `<table><tbody>${cells.join('')}</tbody></table>`;
}

export function cell(text: string): string {
  return `<td>${escapeHtml(text)}</td>`;
}
