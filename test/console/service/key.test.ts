import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createKeyHolder } from '../../../console/src/service/key.ts';

function openStorage() {
  const kept = new Map<string, string>();
  return {
    kept,
    getItem: (name: string) => kept.get(name) ?? null,
    setItem: (name: string, value: string) => void kept.set(name, value),
    removeItem: (name: string) => void kept.delete(name),
  };
}

test('a key is kept without the blanks around it, and found again, until it is taken away', () => {
  const storage = openStorage();
  assert.equal(createKeyHolder(storage).use(' crk_one\n'), true);
  const keys = createKeyHolder(storage);
  assert.equal(keys.key.value, 'crk_one');
  assert.equal(keys.use(''), true);
  assert.deepEqual([keys.key.value, storage.kept.size], ['', 0]);
});

test('a key that no header can hold is refused, and the one before stays', () => {
  const keys = createKeyHolder(openStorage());
  keys.use('crk_one');
  for (const key of ['crk_密钥', 'crk_one…', 'crk_a\nb', 'crk_\u007f']) assert.equal(keys.use(key), false, key);
  assert.equal(keys.key.value, 'crk_one');
  assert.equal(keys.use('clé'), true);
  assert.equal(new Headers({ authorization: `Bearer ${keys.key.value}` }).get('authorization'), 'Bearer clé');
});
