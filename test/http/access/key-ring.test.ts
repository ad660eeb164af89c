import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { generateKey, hashKey } from '../../../src/core/api-key.ts';
import { isFailure } from '../../../src/core/errors.ts';
import { createKeyRing } from '../../../src/http/access/key-ring.ts';

const secret = generateKey();
const stored = { name: 'ci', hash: hashKey(secret), scopes: ['rank'] } as const;

test('a key is found by itself, again and again and many times at once', async () => {
  const ring = createKeyRing([stored]);
  const found = await Promise.all(Array.from({ length: 50 }, () => ring.find(secret)));
  assert.ok(found.every((key) => key === stored));
  assert.equal(await ring.find(secret), stored);
  assert.deepEqual([ring.isEmpty, ring.outdated], [false, []]);
});

test('a forged secret is refused before and after the real one was seen', async () => {
  const ring = createKeyRing([stored]);
  const forged = `${secret.slice(0, -2)}__`;
  assert.equal(await ring.find(forged), undefined);
  assert.equal(await ring.find(secret), stored);
  assert.equal(await ring.find(forged), undefined);
  for (const other of [generateKey(), '', 'x', stored.hash, `${secret}x`])
    assert.equal(await ring.find(other), undefined);
});

test('forged keys that come in floods are turned away, and a known key still passes', async () => {
  const ring = createKeyRing([stored]);
  await ring.find(secret);
  const flood = Array.from({ length: 40 }, (_, number) => ring.find(`${secret.slice(0, -4)}${1000 + number}`));
  assert.equal(await ring.find(secret), stored);
  const ends = await Promise.allSettled(flood);
  const refused = ends.filter((end) => end.status === 'rejected');
  assert.equal(refused.length, 23, 'all but the one at work and the sixteen that wait');
  for (const { reason } of refused) assert.ok(isFailure(reason, 'rate_limited'));
  assert.ok(ends.every((end) => end.status === 'rejected' || end.value === undefined));
});

test('keys stored by earlier releases pass and are named', async () => {
  const hash = `sha256:${createHash('sha256').update('crk_old').digest('hex')}`;
  const old = { name: 'old', hash, scopes: ['index'] } as const;
  const ring = createKeyRing([stored, old]);
  assert.equal(await ring.find('crk_old'), old);
  assert.equal(await ring.find(secret), stored);
  assert.deepEqual(ring.outdated, ['old']);
});

test('a hash of another form is refused when the service starts', () => {
  const create = () => createKeyRing([{ name: 'ci', hash: 'plain-key', scopes: ['rank'] }]);
  assert.throws(create, (error) => isFailure(error, 'invalid_config') && error.detail.includes('"ci"'));
});
