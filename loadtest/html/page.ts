import { renderDocument } from '../../src/eval/report/html/document.ts';
import { escapeHtml } from '../../src/eval/report/html/escape.ts';
import { facts } from '../../src/eval/report/html/table.ts';
import { compareReports, NOISE_NOTE } from '../compare.ts';
import { formatMs, formatNumber, formatShare } from '../format.ts';
import type { Report } from '../report.ts';
import { latencyPlot, percentilePlot, stagePlot, throughputPlot } from './plots.ts';
import { comparisonTable, outcomesTable, stagesTable, streamsTable } from './tables.ts';

/** One file with everything in it: opens from a disk, asks no network for anything. */
export function renderPage(report: Report, earlier?: Report): string {
  const title = `coverrank load test, ${report.startedAt.replace('T', ' ').slice(0, 16)} UTC`;
  const sections = [
    section('At a glance', glance(report)),
    earlier === undefined ? '' : section('Compared with an earlier run', comparison(earlier, report)),
    section('Latency', percentilePlot(report.rank.curve, earlier?.rank.curve) + latencyNote(report)),
    section('Requests', streamsTable(report)),
    section('Throughput over time', throughputPlot(report.timeline)),
    section('Latency over time', latencyPlot(report.timeline)),
    section('Where the time goes', stagePlot(report.kinds) + stagesTable(report.kinds)),
    section('Outcomes', outcomesTable(report)),
    section('Configuration', configuration(report)),
  ];
  return renderDocument({ title, subtitle: subtitle(report), sections });
}

function section(title: string, content: string): string {
  return `<section><h2>${escapeHtml(title)}</h2>${content}</section>`;
}

function subtitle({ load, target }: Report): string {
  const how =
    load.ratePerSecond === null
      ? `${load.connections} connections, each waiting for its answer`
      : `${formatNumber(load.ratePerSecond)} requests a second, waiting for nobody`;
  return `${how}, for ${load.durationSeconds} s, over ${formatNumber(target.covers)} covers with the bundle ${target.bundle.name}`;
}

function glance({ rank, eventLoopDelayMs }: Report): string {
  const figures: [string, string][] = [
    ['answers a second', formatNumber(rank.throughputPerSecond)],
    ['p50', formatMs(rank.latencyMs.p50)],
    ['p90', formatMs(rank.latencyMs.p90)],
    ['p99', formatMs(rank.latencyMs.p99)],
    ['p99.9', formatMs(rank.latencyMs.p999)],
    ['max', formatMs(rank.latencyMs.max)],
    ['shed', share(rank.shed, rank.requests)],
    [
      'degraded',
      share(
        Object.values(rank.degraded).reduce((sum, count) => sum + count, 0),
        rank.requests,
      ),
    ],
    ['event-loop delay p99', formatMs(eventLoopDelayMs?.p99 ?? null)],
  ];
  const entries = figures.map(
    ([name, value]) => `<div><dt>${escapeHtml(name)}</dt><dd>${escapeHtml(value)}</dd></div>`,
  );
  return `<dl class="figures">${entries.join('')}</dl>`;
}

function latencyNote({ load, sendLagMs }: Report): string {
  const counted =
    sendLagMs === null || load.ratePerSecond === null
      ? 'Counted from when a request left. In a closed loop a slow answer holds its connection back, so fewer requests meet the slow moments than users would: use a fixed rate to judge the tail.'
      : `Counted from when a request was due, so waiting behind a slow answer is part of it. Requests left at most ${formatMs(sendLagMs.max)} late (p99 ${formatMs(sendLagMs.p99)}); that lateness is the generator's own.`;
  return `<p class="note">${escapeHtml(`Of answers with status 200. ${counted}`)}</p>`;
}

function comparison(earlier: Report, now: Report): string {
  const { figures, warnings } = compareReports(earlier, now);
  const items = warnings.map((warning) => `<li>${escapeHtml(warning)}</li>`).join('');
  const caution =
    warnings.length === 0 ? '' : `<p>The two runs differ in more than the code:</p><ul class="warnings">${items}</ul>`;
  return `${caution}${comparisonTable(figures)}<p class="note">${escapeHtml(NOISE_NOTE)}</p>`;
}

function configuration({ machine, git, target, load, eventLoopDelayMs: delay }: Report): string {
  const mix = Object.entries(load.mix).map(([kind, weight]) => `${kind} ${weight}`);
  return facts([
    [
      'machine',
      `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, ${machine.platform}, load ${machine.loadBefore} before`,
    ],
    [
      'generator',
      target.selfStarted ? 'on the same machine as the service, sharing its cores' : `against ${target.url}`,
    ],
    ['Node', machine.node],
    ['commit', git === null ? 'not a git checkout' : `${git.commit}${git.dirty ? ', with uncommitted changes' : ''}`],
    ['bundle', `${target.bundle.name} (${target.bundle.hash})`],
    ['mix', mix.join(', ')],
    [
      'request',
      `top_n ${load.topN}, recall_k ${load.recallK}, rerank_k ${load.rerankK}, deadline_ms ${load.deadlineMs}`,
    ],
    ['indexing meanwhile', load.indexPerSecond === 0 ? 'none' : `${formatNumber(load.indexPerSecond)} covers a second`],
    ['warm-up', `${load.warmupSeconds} s`],
    ['seed', String(load.seed)],
    [
      'event-loop delay',
      delay === null
        ? 'not known'
        : `p50 ${formatMs(delay.p50)}, p99 ${formatMs(delay.p99)}, max ${formatMs(delay.max)}`,
    ],
  ]);
}

function share(count: number, requests: number): string {
  return requests === 0 ? '–' : formatShare(count / requests);
}
