import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renderPage } from '../../../loadtest/html/page.ts';
import { sampleReport } from '../sample-report.ts';

test('the page is one file that asks no network for anything', () => {
  const page = renderPage(sampleReport(), sampleReport());
  assert.match(page, /^<!doctype html>/);
  assert.doesNotMatch(page, /<script|<link|<img|@import|url\(|src=/);
});

test('every plot is drawn, with finite coordinates and a name', () => {
  const page = renderPage(sampleReport());
  const plots = [...page.matchAll(/<svg[^>]*aria-label="([^"]+)"/g)].map(([, name]) => name);
  assert.deepEqual(plots, ['Latency by percentile', 'Throughput over time', 'Latency over time', 'Mean time by stage']);
  assert.doesNotMatch(page, /NaN|Infinity|undefined/);
});

test('what comes from outside is escaped', () => {
  const page = renderPage(sampleReport());
  assert.ok(page.includes('Some &lt;CPU&gt; &amp; more'));
  assert.ok(!page.includes('<CPU>'));
});

test('the comparison is there when there is an earlier run', () => {
  assert.doesNotMatch(renderPage(sampleReport()), /Compared with an earlier run/);
  const page = renderPage(sampleReport({ latencyMs: () => 4 }), sampleReport({ latencyMs: () => 8 }));
  assert.match(page, /Compared with an earlier run/);
  assert.match(page, /<td>p50<\/td><td>8 ms<\/td><td>4 ms<\/td><td class="good">0\.500<\/td>/);
});

test('a run without a single answer still makes a page', () => {
  const page = renderPage(sampleReport({ perSecond: 0 }));
  assert.match(page, /No answer carried Server-Timing/);
  assert.doesNotMatch(page, /NaN|Infinity|undefined/);
});
