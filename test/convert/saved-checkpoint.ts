import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Checkpoint } from '../../src/convert/checkpoint/checkpoint.ts';
import { openCheckpoint } from '../../src/convert/checkpoint/open-checkpoint.ts';
import { isFailure } from '../../src/core/errors.ts';

/** The bytes as a file of its own folder, which goes with the test. */
export async function saved(t: TestContext, bytes: Uint8Array): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'coverrank-checkpoint-'));
  t.after(() => rm(folder, { recursive: true }));
  const file = join(folder, 'checkpoint.pt');
  await writeFile(file, bytes);
  return file;
}

export async function opened(t: TestContext, bytes: Uint8Array): Promise<Checkpoint> {
  const checkpoint = await openCheckpoint(await saved(t, bytes));
  t.after(() => checkpoint.close());
  return checkpoint;
}

export async function refused(t: TestContext, bytes: Uint8Array, reason: RegExp): Promise<void> {
  await assert.rejects(openCheckpoint(await saved(t, bytes)), (error) => {
    assert.ok(isFailure(error, 'invalid_checkpoint'), String(error));
    assert.match(error.detail, reason);
    return true;
  });
}
