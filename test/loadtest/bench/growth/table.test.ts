import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renderGrowthPage } from '../../../../loadtest/bench/growth/page.ts';
import { GROWTH_FORMAT, type GrowthReport } from '../../../../loadtest/bench/growth/report.ts';
import { growthTables } from '../../../../loadtest/bench/growth/table.ts';

const REPORT: GrowthReport = {
  format: GROWTH_FORMAT,
  startedAt: '2026-01-01T00:00:00.000Z',
  git: null,
  machine: {
    cpu: 'some <CPU>',
    cores: 2,
    memoryGiB: 8,
    platform: 'linux x64',
    node: 'v20.18.1',
    loadBefore: 0,
    instructionSets: ['avx2'],
    onnxruntime: '1.30.0',
  },
  warnings: ['it was busy'],
  model: 'full-int8',
  rounds: 3,
  covers: 2000,
  axes: {
    covers: [
      { at: 1000, figures: { alone_p50_ms: 4, graph_bytes: 2_000_000 } },
      { at: 100_000, figures: { alone_p50_ms: 6, graph_bytes: 200_000_000 } },
    ],
    rerankK: [{ at: 50, figures: { alone_p50_ms: 100 } }],
  },
};

test('the table has a line a point, and says where and under which warnings it was measured', () => {
  const table = growthTables(REPORT);
  assert.match(table, /\| 100,000 \| 6 \| 200,000,000 \|/);
  assert.match(table, /\*\*it was busy\*\*/);
  assert.match(table, /full-int8, median of 3 rounds/);
  assert.doesNotMatch(table, /NaN|undefined/);
});

test('the page has a chart for every unit of an axis with several points', () => {
  const page = renderGrowthPage(REPORT);
  assert.equal(page.match(/<svg/g)?.length, 2);
  assert.match(page, /ms by covers in the index/);
  assert.match(page, /bytes by covers in the index/);
  assert.match(page, /some &lt;CPU&gt;/);
  assert.doesNotMatch(page, /NaN/);
});
