import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import {
  type ApiKey,
  findByPlainHash,
  generateKey,
  hashKey,
  isKeyHash,
  isKeyOfHash,
  saltOfHash,
  saltOfKey,
} from '../../src/core/api-key.ts';

const plainHash = (key: string) => `sha256:${createHash('sha256').update(key).digest('hex')}`;

test('a key carries the salt of its hash and nothing else of it', async () => {
  const key = generateKey();
  assert.match(key, /^crk_[\w-]{22}_[\w-]{43}$/);
  assert.notEqual(key, generateKey());
  const hash = hashKey(key);
  assert.match(hash, /^scrypt:[\w-]{22}:[\w-]{43}$/);
  assert.equal(saltOfHash(hash), saltOfKey(key));
  assert.equal(hashKey(key), hash);
  assert.ok(await isKeyOfHash(key, hash));
});

test('the hash is scrypt with N 16384, r 8, p 1, as other implementations compute it', () => {
  const key = `crk_${'s'.repeat(22)}_${'k'.repeat(43)}`;
  assert.equal(hashKey(key), `scrypt:${'s'.repeat(22)}:q6OVjqi8FpKIjSTbrO_34td_Yi6LF7KZ_YY-DCGTALY`);
});

test('another secret under the same salt is another key', async () => {
  const key = generateKey();
  const forged = `${key.slice(0, -1)}${key.endsWith('A') ? 'B' : 'A'}`;
  assert.equal(saltOfKey(forged), saltOfKey(key));
  assert.equal(await isKeyOfHash(forged, hashKey(key)), false);
  assert.equal(await isKeyOfHash(generateKey(), hashKey(key)), false);
  assert.equal(await isKeyOfHash('crk_short', hashKey(key)), false);
  assert.throws(() => hashKey('of my own making'));
});

test('a hash has one of two forms', () => {
  assert.ok(isKeyHash(hashKey(generateKey())));
  assert.ok(isKeyHash(plainHash('crk_old')));
  const others = ['', 'plain', 'sha256:', `sha256:${'A'.repeat(64)}`, `sha256:${'a'.repeat(65)}`, 'scrypt:a:b'];
  for (const other of others) assert.ok(!isKeyHash(other), other);
});

test('among keys stored as sha256 the one that was presented is found, and no other', () => {
  const secrets = ['crk_first', 'crk_second'];
  const keys = secrets.map(
    (secret, number): ApiKey => ({ name: `${number}`, hash: plainHash(secret), scopes: ['rank'] }),
  );
  assert.equal(findByPlainHash('crk_second', keys)?.name, '1');
  assert.equal(findByPlainHash(keys[0]?.hash ?? '', keys), undefined);
  assert.equal(findByPlainHash('', keys), undefined);
  assert.equal(findByPlainHash('x', []), undefined);
});
