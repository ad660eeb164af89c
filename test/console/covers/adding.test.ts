import assert from 'node:assert/strict';
import { openAsBlob } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createAdding } from '../../../console/src/covers/adding.ts';
import type { CallOptions, ServiceClient } from '../../../console/src/service/client.ts';
import { ServiceError } from '../../../console/src/service/service-error.ts';

/** Adds whatever it gets, save addresses that end in a code: those fail with it. */
async function call(_method: string, _path: string, { body }: CallOptions = {}): Promise<unknown> {
  const { items } = body as { items: { id: string; image_url?: string }[] };
  const code = items[0]?.image_url?.split('#')[1];
  if (code !== undefined) throw new ServiceError({ code, detail: '' }, { hadKey: false });
  return { items: [{ id: items[0]?.id, result: 'created' }] };
}
const client = { call, bytes: () => Promise.reject(new Error('not used')) } as ServiceClient;
const url = (address: string) => ({ id: address, source: { url: address } });

/** A picture that was deleted after it was chosen. */
async function deletedFile(t: TestContext): Promise<File> {
  const folder = await mkdtemp(join(tmpdir(), 'coverrank-adding-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, 'gone.png');
  await writeFile(path, 'a picture');
  const file = await openAsBlob(path);
  await rm(path);
  return file as File;
}

test('a file that cannot be read fails alone, and the rest is added', async (t) => {
  const adding = createAdding(client, () => 1_000);
  const gone = { id: 'gone', source: { file: await deletedFile(t) } };
  const here = { id: 'here', source: { file: new File(['a picture'], 'here.png') } };
  const large = { id: 'large', source: { file: new File(['x'.repeat(1_001)], 'large.png') } };
  const running = adding.add([gone, here, large, url('a')]);
  assert.equal(adding.isRunning.value, true);
  await running;
  assert.deepEqual(
    adding.items.value.map(({ id, state, problem }) => [id, state, problem?.code]),
    [
      ['gone', 'failed', 'unreadable_file'],
      ['here', 'created', undefined],
      ['large', 'failed', 'too_large'],
      ['a', 'created', undefined],
    ],
  );
  assert.deepEqual([adding.isRunning.value, adding.error.value], [false, undefined]);
});

test('what every other item would meet as well ends the run; what concerns one item does not', async () => {
  const adding = createAdding(client, () => 1_000);
  await adding.add([url('a#fetch_failed'), url('b')]);
  assert.deepEqual(
    adding.items.value.map(({ state }) => state),
    ['failed', 'created'],
  );
  adding.clear();
  await adding.add([url('a#forbidden'), url('b'), url('c'), url('d')]);
  assert.deepEqual([adding.items.value[0]?.state, adding.items.value[3]?.state], ['failed', 'stopped']);
  assert.deepEqual([adding.error.value?.problem.code, adding.isRunning.value], ['forbidden', false]);
});
