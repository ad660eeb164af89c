import { escapeHtml } from './escape.ts';
import { STYLE } from './style.ts';

export interface Document {
  readonly title: string;
  readonly subtitle: string;
  /** HTML each. */
  readonly sections: readonly string[];
  /** Added to the style sheet. */
  readonly styles?: string;
}

/** One file with everything in it: opens from a disk, asks no network for anything. */
export function renderDocument({ title, subtitle, sections, styles = '' }: Document): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>${STYLE}${styles}</style>
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
