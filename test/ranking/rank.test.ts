import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { pino } from 'pino';
import { defaultConfig } from '../../src/config.ts';
import type { Config } from '../../src/config-schema.ts';
import { isFailure } from '../../src/core/errors.ts';
import { packageRoot } from '../../src/core/package-root.ts';
import { parseItem } from '../../src/indexing/item.ts';
import { readManifest } from '../../src/inference/bundle.ts';
import { weigh } from '../../src/ranking/fuse.ts';
import { createRanker, type RankRequest } from '../../src/ranking/rank.ts';
import { createServices, type Services } from '../../src/services.ts';

/** /rank on the real parts: the demo bundle and 40 of the sample covers. */
const samples = join(packageRoot, 'index/samples');
const log = pino({ level: 'silent' });
const never = new AbortController().signal;
const folder = mkdtempSync(join(tmpdir(), 'coverrank-rank-'));
const config: Config = defaultConfig({ data_dir: folder });
const { fusion } = readManifest(config.model);
let services: Services;

before(async () => {
  services = await createServices(config, log);
  const items = readFileSync(join(samples, 'manifest.ndjson'), 'utf8')
    .split('\n')
    .slice(0, 40)
    .map((line) => {
      const { id, file, title, attributes } = JSON.parse(line) as Record<string, unknown>;
      const picture = readFileSync(join(samples, String(file))).toString('base64');
      return parseItem({ id, title, attributes, image_base64: picture });
    });
  for await (const outcome of services.indexer.index(items, { signal: never, until: 'searchable' })) {
    assert.equal(outcome.result, 'created');
  }
});
after(async () => {
  await services.close();
  rmSync(folder, { recursive: true });
});

function rank(changes: Partial<RankRequest> & { query: string }) {
  const request = { topN: 10, recallK: 40, rerankK: 10, deadlineMs: 10_000, ...changes };
  return services.ranker.rank(request, never);
}

test('the cover of what was asked for comes first, in Chinese and in English', async () => {
  for (const query of ['键盘', 'keyboard']) {
    const { hits } = await rank({ query, rerankK: 40 });
    assert.equal(hits[0]?.cover.attributes['concept'], 'keyboard', query);
  }
});

test('the best by recall are reranked and stand before the rest; ranks count on', async () => {
  const { hits, degraded, missing } = await rank({ query: '麦克风', topN: 20, rerankK: 5 });
  assert.deepEqual(
    hits.map(({ stage }) => stage),
    [...new Array(5).fill('rerank'), ...new Array(15).fill('recall')],
  );
  assert.deepEqual(
    hits.map((hit) => hit.rank),
    Array.from({ length: 20 }, (_, position) => position + 1),
  );
  assert.deepEqual(new Set(hits.slice(0, 5).map(({ recallRank }) => recallRank)), new Set([1, 2, 3, 4, 5]));
  assert.deepEqual([degraded, missing], [[], []]);
  const offered = ['cosine', 'ocr_presence', 'ocr_semantic', 'itm', 'ocr_match'];
  assert.deepEqual(Object.keys(hits[0]?.signals ?? {}), offered);
  assert.deepEqual(Object.keys(hits[9]?.signals ?? {}), ['cosine', 'ocr_presence']);
  assert.deepEqual(hits[0]?.contributions, weigh(hits[0]?.signals ?? {}, fusion).contributions);
});

test('without reranking everything stays in recall order', async () => {
  const { hits, timingsMs } = await rank({ query: 'dog', rerankK: 0 });
  assert.ok(hits.every(({ stage, rank, recallRank }) => stage === 'recall' && rank === recallRank));
  assert.ok(timingsMs.total > 0);
});

test('weights that break recall order are applied to all that was recalled', async () => {
  const all = (await rank({ query: 'dog', topN: 40, rerankK: 0 })).hits;
  for (const weights of [{ cosine: -1 }, { cosine: 1, ocr_presence: 5 }, { ocr_presence: -1 }]) {
    const expected = all
      .map(({ id, signals, recallRank }) => ({ id, recallRank, score: weigh(signals, weights).relevanceScore }))
      .sort((a, b) => b.score - a.score || a.recallRank - b.recallRank);
    const { hits } = await rank({ query: 'dog', topN: 3, rerankK: 0, weights });
    assert.deepEqual(
      hits.map(({ id }) => id),
      expected.slice(0, 3).map(({ id }) => id),
    );
    assert.notDeepEqual(hits[0]?.id, all[0]?.id);
  }
});

test("only the caller's candidates are ranked, and unknown ones are named", async () => {
  const candidates = ['cover-0003', 'no-such-cover', 'cover-0001'];
  const { hits, missing } = await rank({ query: 'keyboard', candidates });
  assert.deepEqual(
    hits.map(({ id }) => id),
    ['cover-0003', 'cover-0001'],
  );
  assert.deepEqual(missing, ['no-such-cover']);
});

test('a filter leaves only covers that match it', async () => {
  const { hits } = await rank({ query: 'dog', filter: { drawn_text: '', duration_s: { lt: 100 } } });
  assert.ok(hits.length > 0);
  for (const { cover } of hits) {
    assert.equal(cover.attributes['drawn_text'], '');
    assert.ok(Number(cover.attributes['duration_s']) < 100);
  }
});

test('a deadline that leaves no time to rerank still gives a ranking, and says what was lost', async () => {
  const { queryEncoder, index, model } = services;
  assert.ok(model.crossEncoder);
  const slow = { ...model.crossEncoder, fittingPairs: () => 0 };
  const ranker = createRanker({ queryEncoder, index, crossEncoder: slow, weights: { cosine: 1 }, signals: ['cosine'] });
  const request = { query: '蝴蝶 butterfly', topN: 10, recallK: 40, rerankK: 30, deadlineMs: 10_000 };
  const { hits, degraded } = await ranker.rank(request, never);
  assert.ok(hits.length === 10 && hits.every(({ stage }) => stage === 'recall'));
  assert.deepEqual(degraded, [{ stage: 'rerank', reason: 'deadline_exceeded', reranked: 0, wanted: 30 }]);
});

test('the work on texts of other queries is told to the cross-encoder', async () => {
  const { index, model } = services;
  assert.ok(model.crossEncoder);
  const told: (number | undefined)[] = [];
  const fittingPairs = (pairs: number, _remainingMs: number, textsMs?: number): number => {
    told.push(textsMs);
    return pairs;
  };
  const queryEncoder = { ...services.queryEncoder, aheadMs: () => 123 };
  const crossEncoder = { ...model.crossEncoder, fittingPairs };
  const ranker = createRanker({ queryEncoder, index, crossEncoder, weights: { cosine: 1 }, signals: ['cosine'] });
  await ranker.rank({ query: '蝴蝶', topN: 10, recallK: 40, rerankK: 30, deadlineMs: 10_000 }, never);
  assert.ok(told.length > 0 && told.every((textsMs) => textsMs === 123));
});

test('a deadline in which not even recall can be done is an error of its own', async () => {
  await assert.rejects(rank({ query: 'something quite new', deadlineMs: 0.001 }), (error) =>
    isFailure(error, 'deadline_exceeded'),
  );
});

test('a caller who left gets nothing computed', async () => {
  const request = { query: 'x y z', topN: 1, recallK: 1, rerankK: 0, deadlineMs: 1000 };
  await assert.rejects(services.ranker.rank(request, AbortSignal.abort()), (error) => isFailure(error, 'cancelled'));
});

test('a long query is cut and says so', async () => {
  assert.equal((await rank({ query: '猫'.repeat(100) })).queryTruncated, true);
  assert.equal((await rank({ query: '猫' })).queryTruncated, false);
});

test('pairs are scored for indexed covers and for pictures alike; a bad pair fails alone', async () => {
  const bytes = readFileSync(join(samples, 'cover-0001.webp'));
  const [indexed, picture, missing, broken] = await services.scorer.score(
    [
      { query: 'funny microphone', image: { id: 'cover-0001' } },
      { query: 'funny microphone', image: { bytes } },
      { query: 'funny microphone', image: { id: 'no-such-cover' } },
      { query: 'funny microphone', image: { bytes: bytes.subarray(0, 500) } },
    ],
    never,
  );
  assert.ok(indexed !== undefined && 'signals' in indexed && picture !== undefined && 'signals' in picture);
  assert.ok(Math.abs((indexed.signals['cosine'] ?? 0) - (picture.signals['cosine'] ?? 1)) < 0.02);
  assert.ok(Math.abs(indexed.relevanceScore - weigh(indexed.signals, fusion).relevanceScore) < 1e-9);
  assert.ok(missing !== undefined && 'error' in missing && missing.error.code === 'not_found');
  assert.ok(broken !== undefined && 'error' in broken && broken.error.code === 'undecodable_image');
});

test('a restart gives the same ranking', async () => {
  const ask = async () =>
    (await rank({ query: '红色的花', topN: 40, rerankK: 0 })).hits.map(({ id, relevanceScore }) => [
      id,
      relevanceScore,
    ]);
  const before = await ask();
  await services.close();
  services = await createServices(config, log);
  assert.deepEqual(await ask(), before);
});

test('weights for signals that the bundle does not offer are refused at start', async () => {
  const other = mkdtempSync(join(tmpdir(), 'coverrank-rank-'));
  await assert.rejects(
    createServices({ ...config, data_dir: other, fusion: { cosine: 1, itm_text: 1 } }, log),
    (error) => isFailure(error, 'invalid_config') && /itm_text/.test(error.message),
  );
  rmSync(other, { recursive: true });
});
