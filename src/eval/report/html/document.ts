import { escapeHtml } from '../../src/eval/report/html/escape.ts';
import { STYLE } from '../../src/eval/report/html/style.ts';

/** A page of one file that asks no network for anything. `sections` are HTML, the rest is text. */
export function renderDocument(title: string, subtitle: string, sections: readonly string[]): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${escapeHtml(title)}</h1>
<p class="quiet">${escapeHtml(subtitle)}</p>
${sections.join('\n')}
</main>
</body>
</html>
`;
}
