import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { readThrough } from '../../src/store/read-through.ts';
import { temporaryFolder } from './sample-covers.ts';

test('every byte of a file is given once and in order, however long it is', async (t) => {
  const file = join(temporaryFolder(t), 'file');
  for (const length of [0, 1, 2 ** 20, 2 ** 20 + 1, 5 * 2 ** 19, 3 * 2 ** 20]) {
    const bytes = randomBytes(length);
    writeFileSync(file, bytes);
    const given: Buffer[] = [];
    assert.equal(await readThrough(file, (chunk) => given.push(Buffer.from(chunk))), length);
    assert.ok(Buffer.concat(given).equals(bytes), `${length} bytes`);
  }
});
