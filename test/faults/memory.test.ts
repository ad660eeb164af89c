import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { sampleItems } from '../http/service.ts';
import { postJson, startService } from '../regression/crash/service-process.ts';
import { png } from '../regression/hostile/inputs/png.ts';
import { temporaryFolder } from '../store/sample-covers.ts';

const MIB = 1024 * 1024;
/** What the process may take beyond what it had after its first picture: one bomb unpacked on two threads is more. */
const ROOM_BYTES = 1536 * MIB;
/** 1.2 GB as RGB, a few dozen KB as a file. */
const BOMB = png({ width: 20_000, height: 20_000, bitDepth: 1, colourType: 0 }).toString('base64');
/** Just below `limits.image_max_pixels`: 75 MB as RGB. */
const LARGEST = png({ width: 4_999, height: 5_000, bitDepth: 1, colourType: 0 }).toString('base64');

/** No more memory than it has now and `roomBytes`; false where the system does not let us. */
function limitMemory(pid: number, roomBytes: number): boolean {
  const kibibytes = Number(/^VmData:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
  return spawnSync('prlimit', ['--pid', String(pid), `--data=${kibibytes * 1024 + roomBytes}`]).status === 0;
}

test('pictures that would not fit into memory are refused by name, and the service goes on', async (t) => {
  if (process.platform !== 'linux') return t.skip('needs prlimit');
  const service = await startService(join(temporaryFolder(t), 'data'), ['--log-level', 'silent'], undefined);
  assert.ok(service.url !== undefined);
  t.after(() => service.child.kill('SIGKILL'));
  const { url, child } = service;
  const index = async (items: readonly object[]) => {
    const { body } = await postJson(url, '/index', { items });
    return (body as { items: { status: number; error?: { code: string } }[] }).items;
  };
  const [first, second] = await sampleItems(2);
  assert.equal((await index([first as object]))[0]?.status, 201);
  if (!limitMemory(Number(child.pid), ROOM_BYTES)) return t.skip('needs prlimit');

  const bombs = Array.from({ length: 40 }, (_, i) => ({ id: `bomb/${i}`, image_base64: BOMB }));
  for (const { error } of await index(bombs)) assert.equal(error?.code, 'image_too_large');
  const embedded = await postJson(url, '/embed', { images_base64: [BOMB] });
  assert.deepEqual([embedded.status, (embedded.body as { code: string }).code], [422, 'image_too_large']);
  const largest = Array.from({ length: 4 }, (_, i) => ({ id: `large/${i}`, image_base64: LARGEST }));
  assert.deepEqual(new Set((await index(largest)).map(({ status }) => status)), new Set([201]));

  assert.equal((await index([second as object]))[0]?.status, 201);
  const ranked = await postJson(url, '/rank', { query: '猫', top_n: 3, deadline_ms: 20_000 });
  assert.equal((ranked.body as { results: unknown[] }).results.length, 3);
  assert.match(
    await (await fetch(`${url}/metrics`)).text(),
    /coverrank_index_items_total\{result="image_too_large"\} 40/,
  );
});
