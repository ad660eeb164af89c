/** The page's style sheet, inlined: the file has to open from a disk or an artefact store, without a network. */
export const STYLE = `
:root { --ink: #1c2733; --quiet: #5c6b7a; --rule: #dfe5ea; --paper: #ffffff; --ground: #f5f7f9; --accent: #1f6feb; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans CJK SC", sans-serif; }
main { max-width: 860px; margin: 0 auto; padding: 32px 20px 64px; }
h1 { font-size: 24px; margin: 0 0 4px; }
h2 { font-size: 17px; margin: 0 0 12px; }
p { margin: 0 0 12px; }
.quiet, .note { color: var(--quiet); }
.note { font-size: 13px; margin: 10px 0 0; }
section { background: var(--paper); border: 1px solid var(--rule); border-radius: 8px; padding: 20px 24px; margin-top: 20px; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(140px, 1fr)); gap: 16px; margin: 0; }
.figures dt { color: var(--quiet); font-size: 13px; }
.figures dd { margin: 0; font-size: 20px; font-weight: 600; font-variant-numeric: tabular-nums; white-space: nowrap; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th, td { padding: 6px 10px; text-align: right; border-bottom: 1px solid var(--rule); white-space: nowrap;
  font-variant-numeric: tabular-nums; }
th { color: var(--quiet); font-weight: 500; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
td.text { text-align: left; white-space: normal; overflow-wrap: anywhere; }
tr:last-child td { border-bottom: 0; }
.good { color: #1a7f37; } .bad { color: #b42318; }
svg { display: block; width: 100%; height: auto; font: 12px system-ui, sans-serif; }
.grid { stroke: var(--rule); stroke-width: 1; }
.tick { fill: var(--quiet); }
.axis { fill: var(--ink); }
.line { fill: none; stroke: currentColor; stroke-width: 2; stroke-linejoin: round; }
.bar { fill: currentColor; }
.legend + .scroll { margin-top: 20px; }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 8px 0 0; padding: 0; font-size: 13px; }
.swatch { display: inline-block; width: 12px; height: 12px; border-radius: 3px; margin-right: 6px; background: currentColor;
  vertical-align: -1px; }
.c1 { color: #1f6feb; } .c2 { color: #d9730d; } .c3 { color: #b42318; } .c4 { color: #2da44e; } .c5 { color: #8250df; }
.c6 { color: #6e7781; } .c7 { color: #bf3989; }
ul.warnings { margin: 0 0 12px; padding-left: 20px; }
@media print { body { background: none; } section { break-inside: avoid; } }
`;
