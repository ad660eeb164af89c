import assert from 'node:assert/strict';
import { openAsBlob } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { signal } from '@preact/signals';
import { createExplanation } from '../../../console/src/explain/explanation.ts';
import type { CallOptions, ServiceClient } from '../../../console/src/service/client.ts';
import type { Hit, Settings } from '../../../console/src/service/types.ts';

const COVERS = 120;
const SETTINGS: Settings = {
  signals: ['cosine', 'ocr_presence', 'itm'],
  weights: { cosine: 1, ocr_presence: 0.5, itm: 1 },
  defaults: { top_n: 10, recall_k: 100, rerank_k: 50, deadline_ms: 500 },
  limits: {
    query_characters: 1000,
    top_n: 1000,
    recall_k: 10_000,
    deadline_ms: 60_000,
    index_items: 1000,
    image_bytes: 1_000_000,
  },
  services: [],
};

/** Covers c1, c2 … by falling cosine, the first 50 reranked; every fifth has a title, c110 the largest by far. */
function hits(): Hit[] {
  const all = Array.from({ length: COVERS }, (_, place) => {
    const number = place + 1;
    const isReranked = number <= 50;
    const presence = number === 110 ? 1 : number % 5 === 0 ? 0.1 : 0;
    const signals = { cosine: 1 - number / 200, ocr_presence: presence, ...(isReranked ? { itm: 0.5 } : {}) };
    const relevance_score = signals.cosine + 0.5 * presence + (isReranked ? 0.5 : 0);
    const stage = isReranked ? ('rerank' as const) : ('recall' as const);
    return { id: `c${number}`, rank: 0, relevance_score, stage, recall_rank: number, signals };
  });
  return all.sort(
    (a, b) => Number(b.stage === 'rerank') - Number(a.stage === 'rerank') || b.relevance_score - a.relevance_score,
  );
}

/** A service with these covers; /score has a reranker's signal for every one of them. */
function openClient(call?: (path: string) => void): ServiceClient {
  const service = {
    async call(_method: string, path: string, { body }: CallOptions = {}): Promise<unknown> {
      call?.(path);
      if (path === '/rank') return { results: hits(), degraded: [] };
      const { pairs } = body as { pairs: [{ id: string }] };
      const known = hits().find(({ id }) => id === pairs[0].id);
      return { pairs: [{ signals: { ...known?.signals, itm: 0.9 } }] };
    },
    bytes: () => Promise.reject(new Error('not used')),
  };
  return service as ServiceClient;
}

test('a cover behind the rerank depth has the score that its neighbours have beside it', async () => {
  const explanation = createExplanation(openClient(), signal<Settings | undefined>(SETTINGS));
  explanation.query.value = ' panda ';
  explanation.id.value = 'c80';
  await explanation.ask();
  const { place, hits: shown, query } = explanation.explained.value ?? assert.fail();
  assert.equal(query, 'panda');
  assert.ok('rank' in place);
  assert.equal(place.stage, 'recall');
  assert.deepEqual(place.contributions, { cosine: 0.6, ocr_presence: 0.05 });
  assert.ok(!shown.some(({ id }) => id === 'c110'), 'nothing behind the recall depth stands among them');
  assert.equal(shown[place.rank - 1]?.id, 'c80');
  assert.equal(shown[place.rank - 1]?.relevance_score, place.score);
});

test('an answer says what it answers, and that it is outdated once something else is entered', async () => {
  const explanation = createExplanation(openClient(), signal<Settings | undefined>(SETTINGS));
  await explanation.ask();
  assert.equal(explanation.question.value, undefined);
  assert.equal(explanation.busy.value, false);
  explanation.query.value = 'panda';
  explanation.id.value = 'c80';
  await explanation.ask();
  assert.equal(explanation.isOutdated.value, false);
  explanation.query.value = 'bear';
  assert.equal(explanation.isOutdated.value, true);
  assert.equal(explanation.explained.value?.query, 'panda');
  explanation.query.value = 'panda ';
  assert.equal(explanation.isOutdated.value, false);
  explanation.picture.value = new File(['x'], 'x.png');
  assert.equal(explanation.isOutdated.value, true);
  await explanation.ask();
  assert.equal(explanation.isOutdated.value, false);
});

test('a picture that cannot be read ends the waiting and is told', async (t) => {
  const explanation = createExplanation(openClient(), signal<Settings | undefined>(SETTINGS));
  explanation.query.value = 'panda';
  explanation.picture.value = (await goneFile(t)) as File;
  await explanation.ask();
  assert.deepEqual([explanation.busy.value, explanation.error.value?.problem.code], [false, 'unreadable_file']);
});

test('whatever fails ends the waiting with a message', async () => {
  const broken = openClient((path) => {
    if (path === '/score') throw new TypeError('Unexpected answer');
  });
  const explanation = createExplanation(broken, signal<Settings | undefined>(SETTINGS));
  explanation.query.value = 'panda';
  explanation.id.value = 'c80';
  await explanation.ask();
  assert.equal(explanation.busy.value, false);
  assert.deepEqual(explanation.error.value?.problem, { code: 'other', detail: 'Unexpected answer' });
});

/** A file that changed after it was chosen. */
async function goneFile(t: TestContext): Promise<Blob> {
  const folder = await mkdtemp(join(tmpdir(), 'coverrank-picture-'));
  t.after(() => rm(folder, { recursive: true }));
  const path = join(folder, 'picture.png');
  await writeFile(path, 'a picture');
  const file = await openAsBlob(path);
  await writeFile(path, 'another picture, by far');
  return file;
}
