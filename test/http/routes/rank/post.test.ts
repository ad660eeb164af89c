import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openService, sampleItems, type TestService } from '../../service.ts';

let service: TestService;
before(async () => {
  service = await openService();
  const items = (await sampleItems(12)).map((item, number) => ({
    ...item,
    attributes: { number, channel: number % 2 === 0 ? 'even' : 'odd', ...(number === 3 ? { constructor: 'x' } : {}) },
  }));
  const { body } = await service.call({ method: 'POST', url: '/index', payload: { items } });
  assert.equal(body.errors, false);
});
after(() => service.close());

const rank = (payload: object, headers = {}) =>
  service.call({ method: 'POST', url: '/rank', headers, payload: { deadline_ms: 20_000, ...payload } });
const ids = (answer: { body: { results: { id: string }[] } }) => answer.body.results.map(({ id }) => id);

test('a ranking has its hits in order, each with its signals and what they contributed', async () => {
  const { status, body, headers } = await rank({
    query: '  猫咪 ',
    top_n: 5,
    include: ['cover', 'signals', 'timings'],
  });
  assert.equal(status, 200);
  assert.equal(body.query, '猫咪');
  assert.equal(body.query_truncated, false);
  assert.deepEqual(body.degraded, []);
  assert.deepEqual(
    body.results.map((hit: { rank: number }) => hit.rank),
    [1, 2, 3, 4, 5],
  );
  for (const hit of body.results) {
    assert.equal(hit.stage, 'rerank');
    assert.ok(hit.signals.ocr_presence >= 0 && hit.signals.ocr_presence <= 1);
    const sum = Object.values<number>(hit.contributions).reduce((total, term) => total + term, 0);
    assert.ok(Math.abs(sum - hit.relevance_score) < 1e-6);
    assert.match(hit.cover.title, /^Cover \d+$/);
    assert.equal(hit.cover.image_url, null);
  }
  const scores = body.results.map((hit: { relevance_score: number }) => hit.relevance_score);
  assert.deepEqual(
    scores,
    scores.toSorted((a: number, b: number) => b - a),
  );
  const stages = ['queue', 'tokenize', 'embed', 'recall', 'rerank', 'fuse', 'total'];
  assert.deepEqual(Object.keys(body.timings_ms), stages);
  const timing = String(headers['server-timing']).split(', ');
  assert.deepEqual(
    timing.map((entry) => entry.split(';dur=')[0]),
    stages,
  );
  assert.equal(Number(timing.at(-1)?.split('=')[1]), body.timings_ms.total);
});

test('include decides what a hit carries; Server-Timing is always there', async () => {
  const bare = await rank({ query: '猫', top_n: 1, include: [] });
  assert.deepEqual(Object.keys(bare.body.results[0]), ['id', 'rank', 'relevance_score', 'stage', 'recall_rank']);
  assert.equal(bare.body.timings_ms, undefined);
  assert.ok(bare.headers['server-timing']);
  const usual = await rank({ query: '猫', top_n: 1 });
  assert.ok(usual.body.results[0].cover && usual.body.results[0].signals && usual.body.results[0].contributions);
});

test('rerank_k 0 keeps recall order; a small one puts reranked hits first', async () => {
  const recalled = await rank({ query: '美食', top_n: 12, rerank_k: 0 });
  assert.ok(recalled.body.results.every((hit: { stage: string }) => hit.stage === 'recall'));
  assert.deepEqual(
    recalled.body.results.map((hit: { recall_rank: number }) => hit.recall_rank),
    Array.from({ length: 12 }, (_, place) => place + 1),
  );
  const few = await rank({ query: '美食', top_n: 12, rerank_k: 3 });
  const stages = few.body.results.map((hit: { stage: string }) => hit.stage);
  assert.deepEqual(stages.slice(0, 3), ['rerank', 'rerank', 'rerank']);
  assert.ok(stages.slice(3).every((stage: string) => stage === 'recall'));
});

test('candidates are the only covers ranked, and those that are not there are told', async () => {
  const answer = await rank({ query: '美食', candidates: ['cover/2', 'nope', 'cover/5', 'cover/2'] });
  assert.deepEqual(ids(answer).toSorted(), ['cover/2', 'cover/5']);
  assert.deepEqual(answer.body.missing, ['nope']);
  assert.deepEqual((await rank({ query: '美食', candidates: [] })).body.results, []);
  const many = Array.from({ length: 10_000 }, (_, number) => `${'x'.repeat(250)}${number}`.slice(-256));
  assert.equal((await rank({ query: '美食', candidates: many })).body.missing.length, 10_000);
});

test('filters of every kind hold', async () => {
  const found = async (filter: object) => ids(await rank({ query: '美食', top_n: 12, filter })).toSorted();
  const numbered = (...numbers: number[]) => numbers.map((number) => `cover/${number}`).toSorted();
  assert.deepEqual(await found({ number: 4 }), numbered(4));
  assert.deepEqual(await found({ channel: 'odd', number: { lt: 6 } }), numbered(1, 3, 5));
  assert.deepEqual(await found({ number: { in: [1, 2, 99] } }), numbered(1, 2));
  assert.deepEqual(await found({ number: { gte: 10, lte: 11 } }), numbered(10, 11));
  assert.deepEqual(await found({ number: { not: { gt: 1 } } }), numbered(0, 1));
  assert.deepEqual(await found({ constructor: { exists: true } }), numbered(3));
  assert.deepEqual(await found({ toString: { exists: true } }), []);
});

test('weights of the request take the place of the configured ones', async () => {
  const { body: settings } = await service.call({ url: '/settings' });
  assert.deepEqual(settings.signals, service.manifest.signals);
  assert.deepEqual(settings.weights, service.manifest.fusion);
  const weights = { ocr_presence: -2, cosine: 0.5 };
  const { body } = await rank({ query: '美食', top_n: 12, weights });
  for (const { signals, contributions, relevance_score } of body.results) {
    assert.deepEqual(Object.keys(contributions).toSorted(), ['cosine', 'ocr_presence']);
    assert.ok(Math.abs(relevance_score - (0.5 * signals.cosine - 2 * signals.ocr_presence)) < 1e-9);
  }
  const unweighted = await rank({ query: '美食', top_n: 12, weights: {} });
  assert.ok(unweighted.body.results.every((hit: { relevance_score: number }) => hit.relevance_score === 0));
  assert.deepEqual(
    unweighted.body.results.map((hit: { recall_rank: number }) => hit.recall_rank),
    Array.from({ length: 12 }, (_, place) => place + 1),
  );
  const own = await rank({ query: '美食', top_n: 12, weights: settings.weights });
  assert.deepEqual(own.body.results, (await rank({ query: '美食', top_n: 12 })).body.results);
});

test('a weight of a signal that is not offered is refused, and the answer lists those that are', async () => {
  const { status, body } = await rank({ query: '美食', weights: { cosine: 1, 'a/b': 1, toString: 1 } });
  assert.equal(status, 400);
  assert.deepEqual(
    body.errors.map((error: { path: string }) => error.path),
    ['/weights/a~1b', '/weights/toString'],
  );
  for (const signal of service.manifest.signals) assert.ok(body.errors[0].message.includes(signal));
  for (const weights of [{ cosine: '1' }, { cosine: 1e7 }, { cosine: null }, []]) {
    assert.equal((await rank({ query: '美食', weights })).status, 400);
  }
});

test('what is wrong is told by path', async () => {
  const path = async (payload: object) => {
    const { status, body } = await rank(payload);
    assert.equal(status, 400);
    assert.equal(body.code, 'invalid_request');
    assert.equal(body.retryable, false);
    return body.errors.map((error: { path: string }) => error.path).join(' ');
  };
  assert.equal(await path({}), '/query');
  assert.equal(await path({ query: '   ' }), '/query');
  assert.equal(await path({ query: false }), '/query');
  assert.equal(await path({ query: 'x'.repeat(1001) }), '/query');
  assert.equal(await path({ query: 'x', k: 3 }), '/k');
  assert.equal(await path({ query: 'x', top_n: 0 }), '/top_n');
  assert.equal(await path({ query: 'x', top_n: 1001 }), '/top_n');
  assert.equal(await path({ query: 'x', top_n: 1.5 }), '/top_n');
  assert.equal(await path({ query: 'x', top_n: '5' }), '/top_n');
  assert.equal(await path({ query: 'x', top_n: 20, recall_k: 19 }), '/recall_k');
  assert.equal(await path({ query: 'x', recall_k: 10_001 }), '/recall_k');
  assert.equal(await path({ query: 'x', recall_k: 20, rerank_k: 21 }), '/rerank_k');
  assert.equal(await path({ query: 'x', deadline_ms: 0 }), '/deadline_ms');
  assert.equal(await path({ query: 'x', deadline_ms: 60_001 }), '/deadline_ms');
  assert.equal(await path({ query: 'x', include: ['everything'] }), '/include/0');
  assert.equal(await path({ query: 'x', candidates: ['a', ''] }), '/candidates/1');
  assert.equal(await path({ query: 'x', candidates: ['a', '字'.repeat(86)] }), '/candidates/1');
  assert.equal(await path({ query: 'x', filter: { a: { like: 'x' } } }), '/filter/a');
  assert.equal(await path({ query: 'x', filter: { a: { gt: 1, in: [1] } } }), '/filter/a');
  assert.equal(await path({ query: 'x', filter: { a: null } }), '/filter/a');
  assert.equal(await path({ query: 'x', filter: [] }), '/filter');
});

test('a name that would reach into a prototype is refused', async () => {
  for (const filter of ['{"__proto__":{"exists":true}}', '{"constructor":{"prototype":1}}']) {
    const { status, body } = await service.call({
      method: 'POST',
      url: '/rank',
      headers: { 'content-type': 'application/json' },
      payload: `{"query":"x","filter":${filter}}`,
    });
    assert.equal(status, 400);
    assert.equal(body.code, 'invalid_request');
  }
});

test('a deadline too short for anything ends in what was done until then, never in an internal error', async () => {
  for (const deadline_ms of [1, 2, 3, 4, 6, 8, 10, 15]) {
    const { status, body } = await rank({ query: `急 ${deadline_ms}`, top_n: 12, deadline_ms });
    assert.ok(status === 200 || status === 504, `${status}`);
    if (status === 504) {
      assert.equal(body.code, 'deadline_exceeded');
      continue;
    }
    const reranked = body.results.filter((hit: { stage: string }) => hit.stage === 'rerank').length;
    for (const lost of body.degraded) {
      assert.equal(lost.stage, 'rerank');
      assert.equal(lost.reason, 'deadline_exceeded');
      assert.equal(lost.reranked, reranked);
      assert.equal(lost.wanted, 12);
    }
    assert.equal(body.degraded.length === 0, reranked === 12);
  }
});

test('the same query ranks the same', async () => {
  const [first, second] = [await rank({ query: '旅行' }), await rank({ query: '旅行' })];
  assert.deepEqual(first.body.results, second.body.results);
});
