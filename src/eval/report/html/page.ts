import { renderDocument } from './document.ts';
import { escapeHtml } from './escape.ts';

export interface PageSection {
  readonly title: string;
  /** HTML; empty sections are left out. */
  readonly content: string;
}

export interface Page {
  readonly title: string;
  readonly subtitle: string;
  readonly sections: readonly PageSection[];
  /** Added to the style sheet. */
  readonly styles?: string;
}

const REPORT_STYLE = `
.figures dd small { font-size: 12px; font-weight: 400; color: var(--quiet); display: block; }
.whisker { stroke: currentColor; stroke-width: 2; stroke-linecap: round; }
.dot { fill: currentColor; }
.mark { stroke: var(--ink); stroke-width: 1; stroke-dasharray: 3 3; }
.verdict { font-weight: 600; }
.query { border-top: 1px solid var(--rule); padding: 12px 0; }
.query:first-of-type { border-top: 0; padding-top: 0; }
.query h3 { font-size: 15px; margin: 0 0 8px; } .query h3 .quiet { font-weight: 400; font-size: 13px; margin-left: 8px; }
.order { display: grid; grid-template-columns: 92px 1fr; gap: 8px; align-items: start; margin-bottom: 8px; }
.order-name { color: var(--quiet); font-size: 12px; overflow-wrap: anywhere; padding-top: 2px; }
.covers { list-style: none; margin: 0; padding: 0; display: grid; grid-template-columns: repeat(6, 1fr); gap: 6px; }
.covers li { position: relative; font-size: 11px; color: var(--quiet); font-variant-numeric: tabular-nums; }
.picture { display: block; width: 100%; aspect-ratio: 16 / 10; border-radius: 4px; border: 1px solid var(--rule);
  background: var(--ground) center / contain no-repeat; }
.missing { display: grid; place-items: center; text-align: center; font-size: 9px; overflow: hidden;
  overflow-wrap: anywhere; padding: 2px; }
.label { position: absolute; top: 3px; left: 3px; min-width: 18px; text-align: center; border-radius: 3px; color: #fff;
  font-weight: 600; padding: 0 4px; background: #6e7781; }
.l1 { background: #bc6a00; } .l2, .l3, .l4 { background: #1f6feb; }
@media (max-width: 600px) { .order { grid-template-columns: 1fr; } .covers { grid-template-columns: repeat(3, 1fr); } }
pre { background: var(--ground); border-radius: 4px; padding: 10px 12px; overflow-x: auto; }
ul.problems { margin: 0; padding-left: 20px; }
`;

/** A report of an evaluation. */
export function renderPage({ title, subtitle, sections, styles = '' }: Page): string {
  const shown = sections
    .filter(({ content }) => content !== '')
    .map((section) => `<section><h2>${escapeHtml(section.title)}</h2>${section.content}</section>`);
  return renderDocument({ title, subtitle, sections: shown, styles: REPORT_STYLE + styles });
}
