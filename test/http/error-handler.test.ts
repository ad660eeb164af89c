import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import pino from 'pino';
import { failure } from '../../src/core/errors.ts';
import { itemProblem } from '../../src/http/error-handler.ts';
import { damageInPlace, damageOwner } from '../store/damage-in-place.ts';
import { openService, sampleItems } from './service.ts';

/** A log, and its lines. */
function keptLog() {
  const lines: string[] = [];
  return { lines, log: pino({ level: 'warn' }, { write: (line: string) => lines.push(line) }) };
}

test('an item tells nothing of what went wrong inside, and the log does', () => {
  const { lines, log } = keptLog();
  const told = itemProblem(failure('corrupt_data', 'A record of covers does not match its checksum.'), log);
  assert.equal(told.code, 'internal');
  assert.doesNotMatch(told.detail, /record/);
  assert.match(lines.join(), /"event":"item_failed".*A record of covers does not match/);

  const cause = new TypeError('cannot read /secret/path');
  assert.doesNotMatch(
    itemProblem(failure('internal', 'The item could not be indexed.', { cause }), log).detail,
    /secret/,
  );
  assert.equal(lines.length, 2);
  assert.match(lines[1] ?? '', /secret/);
});

test("an item's own fault is told as it is and not logged", () => {
  const { lines, log } = keptLog();
  const told = itemProblem(failure('fetch_failed', 'The image could not be fetched.'), log);
  assert.deepEqual(told, { code: 'fetch_failed', detail: 'The image could not be fetched.', retryable: true });
  assert.deepEqual(lines, []);
});

test('over a damaged record /index, its tasks and /score answer with codes that the interface has', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'coverrank-damaged-'));
  const service = await openService({ data_dir: folder });
  t.after(async () => {
    await service.close();
    await rm(folder, { recursive: true, force: true });
  });
  const [item] = await sampleItems(1);
  const items = [{ ...item, title: 'a title like no other' }];
  const post = (url: string, payload: object) => service.call({ method: 'POST', url, payload });
  assert.equal((await post('/index', { items })).body.errors, false);
  const store = join(folder, 'covers.lmdb');
  const damageRecord = () => damageInPlace(store, Buffer.from('a title like no other'));
  damageRecord();
  assert.equal((await post('/index', { items })).body.items[0].result, 'updated', 'a damaged record is made anew');

  // Whose the content is cannot be told either, so nothing can be written over it.
  damageRecord();
  damageOwner(store, String(item?.id), 2);
  const { body } = await post('/index', { items });
  assert.deepEqual([body.items[0].status, body.items[0].error.code], [500, 'internal']);
  const accepted = await post('/index', { items, wait: false });
  const task = await service.call({ url: `/tasks/${accepted.body.task.id}` });
  assert.equal(task.body.failures[0].error.code, 'internal');
  const scored = await post('/score', { pairs: [{ query: '猫', id: item?.id }] });
  assert.equal(scored.body.pairs[0].error.code, 'internal');
});
