import assert from 'node:assert/strict';
import { join } from 'node:path';
import test from 'node:test';
import { isFailure } from '../../../src/core/errors.ts';
import { openCoverStore } from '../../../src/store/cover-store.ts';
import { openSample, temporaryFolder } from '../sample-covers.ts';

test('a format that this version does not know is refused', async (t) => {
  const dataDir = temporaryFolder(t);
  await (await openSample(dataDir)).close();
  const store = openCoverStore(join(dataDir, 'covers.lmdb'));
  const about = store.about();
  assert.ok(about);
  store.transaction(() => store.putAbout({ ...about, format: 99 }));
  await store.close();
  await assert.rejects(openSample(dataDir), (error) => {
    assert.ok(isFailure(error, 'corrupt_data'));
    assert.match(error.detail, /format 99/);
    return true;
  });
});
