import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { isFailure } from '../../src/core/errors.ts';
import type { CoverUpsert } from '../../src/core/ports.ts';
import { openForTest, recallIds, sampleCovers, temporaryFolder, upsert } from './sample-covers.ts';

const TOKENS = { count: 50, width: 1_000 };
const DISK_BYTES = 6 * 1024 * 1024;

/** A disk of a few megabytes; undefined where the system does not let us have one. */
function mountSmallDisk(folder: string): (() => void) | undefined {
  mkdirSync(folder);
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_BYTES}`, 'tmpfs', folder]).status !== 0) return undefined;
  return () => void spawnSync('umount', ['-l', folder]);
}

function largeUpsert(cover: ReturnType<typeof sampleCovers>[number]): CoverUpsert {
  const tokens = {
    values: new Int8Array(TOKENS.count * TOKENS.width).fill(1),
    scales: new Float32Array(TOKENS.count).fill(1),
  };
  return upsert(cover, {
    content: {
      features: { embedding: cover.embedding, tokens, ocrPresence: undefined },
      imageHash: undefined,
      thumbnail: undefined,
    },
  });
}

test('a full disk: the batch is refused whole, reads go on, and writes work again once there is room', async (t) => {
  const disk = join(temporaryFolder(t), 'disk');
  const unmount = mountSmallDisk(disk);
  if (unmount === undefined) return t.skip('needs the right to mount a small tmpfs');
  const index = await openForTest(t, join(disk, 'data'), { tokens: TOKENS });
  const covers = sampleCovers(400);
  let full: unknown;
  let stored = 0;
  try {
    for (; full === undefined && stored < covers.length; stored += 4) {
      const { durable } = index.write(covers.slice(stored, stored + 4).map(largeUpsert));
      await durable.catch((error: unknown) => {
        full = error;
      });
    }
    stored -= 4;
    assert.ok(isFailure(full, 'storage_full'), String(full));
    assert.ok(stored > 40 && stored < 200, `${stored} covers were stored`);
    for (const { id } of covers.slice(stored, stored + 4)) assert.equal(index.get(id), undefined);
    assert.equal(index.status().covers, stored);
    const [first] = covers;
    assert.ok(first);
    assert.equal((await recallIds(index, first.embedding, 1))[0], first.id);

    const gone = covers.slice(0, 30);
    assert.deepEqual(
      await index.write(gone.map(({ id }) => ({ op: 'delete', id }))).durable,
      gone.map(() => 'deleted'),
    );
    const again = index.write(covers.slice(stored, stored + 4).map(largeUpsert));
    assert.deepEqual(await again.durable, ['created', 'created', 'created', 'created']);
    await again.searchable;
    assert.equal(index.status().covers, stored - 26);
  } finally {
    await index.close();
    unmount();
  }
});
