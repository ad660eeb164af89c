import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ApiKey, findKey, generateKey, hashKey, isKeyHash } from '../../src/core/api-key.ts';

test('a key is told from its hash only', () => {
  const key = generateKey();
  assert.match(key, /^crk_[\w-]{43}$/);
  assert.notEqual(key, generateKey());
  assert.match(hashKey(key), /^sha256:[0-9a-f]{64}$/);
  assert.equal(hashKey('abc'), 'sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
});

test('a hash has one form', () => {
  assert.ok(isKeyHash(hashKey(generateKey())));
  for (const other of ['', 'plain', 'sha256:', `sha256:${'A'.repeat(64)}`, `sha256:${'a'.repeat(65)}`]) {
    assert.ok(!isKeyHash(other), other);
  }
});

test('the key that was presented is found, and no other', () => {
  const secrets = [generateKey(), generateKey()];
  const keys = secrets.map(
    (secret, number): ApiKey => ({ name: `${number}`, hash: hashKey(secret), scopes: ['rank'] }),
  );
  assert.equal(findKey(secrets[1] ?? '', keys)?.name, '1');
  assert.equal(findKey(keys[0]?.hash ?? '', keys), undefined);
  assert.equal(findKey('', keys), undefined);
  assert.equal(findKey('x', []), undefined);
});
