import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { isFailure } from '../../../../src/core/errors.ts';
import type { ImportFile } from '../../../../src/http/routes/judgements/import-file.ts';
import { createImportReader } from '../../../../src/http/routes/judgements/import-reader.ts';

const reader = createImportReader();
after(() => reader.close());

const store = {
  *queries() {
    for (let topic = 1; topic <= 1200; topic++) yield { topic, query: `query\t${topic}\n` };
  },
};
const open = async (body: unknown): Promise<ImportFile> => {
  const { file } = await reader.open(Buffer.from(JSON.stringify(body)));
  assert.ok(file !== undefined);
  return file;
};
const unpack = (bytes: Uint8Array): unknown => JSON.parse(Buffer.from(bytes).toString());

/** How often anything else had its turn until the promise was settled. */
async function turnsUntil(promise: Promise<unknown>): Promise<number> {
  let turns = 0;
  let settled = false;
  const count = (): void => {
    turns++;
    if (!settled) setImmediate(count);
  };
  setImmediate(count);
  await promise;
  settled = true;
  return turns;
}

test('a file of many rows is read while others have their turn', async () => {
  const text = Array.from({ length: 50_000 }, (_, row) => `query ${row}\tcover ${row}\t1\n`).join('');
  const body = Buffer.from(JSON.stringify({ text }));
  const opening = reader.open(body);
  assert.ok((await turnsUntil(opening)) > 1);
  const { outline, file } = await opening;
  assert.ok(JSON.stringify(outline).length < 1000);
  assert.ok(file !== undefined);
  const reading = reader.read(file, store);
  assert.ok((await turnsUntil(reading)) > 1);
  const { format, judgements, problems } = await reading;
  assert.deepEqual([format, problems], ['tsv', []]);
  assert.equal((unpack(judgements) as unknown[]).length, 50_000);
});

test('of a pair the last row counts, and topics are those of the store unless the file brings its own', async () => {
  const text = '1 0 a 1\n1200 0 b 2\n1 0 a 2\n';
  const kept = await reader.read(await open({ text }), store);
  assert.deepEqual(unpack(kept.judgements), [
    { query: 'query\t1', id: 'a', grade: 2 },
    { query: 'query\t1200', id: 'b', grade: 2 },
  ]);
  const own = await reader.read(await open({ text, topics: '1\tcat\n' }), store);
  assert.deepEqual(unpack(own.judgements), [{ query: 'cat', id: 'a', grade: 2 }]);
  assert.deepEqual(own.problems.map(({ problem }) => problem).sort(), ['conflicting_label', 'unknown_topic']);
});

test('a file of which nothing can be used is refused', async () => {
  for (const body of [{ text: 'nothing of the kind' }, { text: 'a\tb\t9\n' }, { text: 'x', format: 'trec' }]) {
    await assert.rejects((async () => reader.read(await open(body), store))(), (error) =>
      isFailure(error, 'invalid_request'),
    );
  }
});
