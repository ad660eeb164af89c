import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readBase64 } from '../../../console/src/service/base64.ts';

test('bytes of any value and number are written as standard base64', async () => {
  for (const length of [0, 1, 2, 3, 32_768, 100_001]) {
    const bytes = Uint8Array.from({ length }, (_, place) => (place * 7) % 256);
    assert.equal(await readBase64(new Blob([bytes])), Buffer.from(bytes).toString('base64'));
  }
});
