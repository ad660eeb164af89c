import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { openCheckpoint } from '../../../src/convert/checkpoint/open-checkpoint.ts';
import { isFailure } from '../../../src/core/errors.ts';
import { packageRoot } from '../../../src/core/package-root.ts';
import { opened, refused, saved } from '../saved-checkpoint.ts';
import { dict, floatTensor, integer, pickle, text, torchLegacy } from '../torch-file.ts';

test('what torch wrote is read: views of one storage, and every kind of number', async (t) => {
  const checkpoint = await openCheckpoint(join(packageRoot, 'test/fixtures/checkpoints/legacy.pth'));
  t.after(() => checkpoint.close());
  assert.equal(checkpoint.format, 'torch legacy stream');
  const read = async (name: string): Promise<number[]> => [...(await checkpoint.tensor(name).read())];
  assert.deepEqual(await read('whole'), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  assert.deepEqual(await read('transposed'), [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11]);
  assert.deepEqual(await read('row'), [4, 5, 6, 7]);
  assert.deepEqual([...(await checkpoint.tensor('transposed').rows(1, 2).read())], [1, 5, 9, 2, 6, 10]);
  assert.deepEqual(await read('half'), [1.5, -2, 65504]);
  assert.deepEqual(await read('brain'), [1.5, -123.5]);
  assert.deepEqual(await read('long'), [-5, 7]);
  assert.deepEqual(await read('scalar'), [0.25]);
});

test('every truncation is refused', async (t) => {
  const whole = torchLegacy({ a: floatTensor([4], [1, 2, 3, 4]), b: floatTensor([2], [5, 6]) });
  const file = await saved(t, whole);
  await (await openCheckpoint(file)).close();
  for (let length = 0; length < whole.length; length += 3) {
    await writeFile(file, whole.subarray(0, length));
    await assert.rejects(openCheckpoint(file), (error) => isFailure(error, 'invalid_checkpoint'), `${length} bytes`);
  }
});

test('a pickle longer than the first part that is read is found', async (t) => {
  const many = Object.fromEntries(
    Array.from({ length: 12_000 }, (_, index) => [`layers.${index}.${'w'.repeat(40)}`, floatTensor([1], [index])]),
  );
  const checkpoint = await opened(t, torchLegacy(many));
  assert.equal(checkpoint.names.length, 12_000);
  assert.deepEqual([...(await checkpoint.tensor(checkpoint.names[11_999] ?? '').read())], [11_999]);
});

test('a stream that contradicts itself is refused', async (t) => {
  const tensor = floatTensor([2], [1, 2]);
  await refused(t, torchLegacy({ a: { ...tensor, elements: 3, shape: [3] } }), /truncated/);
  const whole = torchLegacy({ a: tensor });
  const count = whole.lastIndexOf(Buffer.from([2, 0, 0, 0, 0, 0, 0, 0]));
  whole[count] = 1;
  await refused(t, whole, /holds 1 elements/);
  const magic = pickle(Buffer.from('8a0a6cfc9c46f9206aa85019', 'hex'));
  await refused(t, Buffer.concat([magic, pickle(integer(1002))]), /protocol 1001/);
  const noOrder = [magic, pickle(integer(1001)), pickle(dict()), pickle(dict()), pickle(text('x'))];
  await refused(t, Buffer.concat(noOrder), /byte order/);
});

test('a list of state dicts is read with the place in the list before each name', async (t) => {
  const whole = torchLegacy({ a: floatTensor([1], [7]) });
  // }( "state_dict" }(…u u  becomes  }( "state_dict" [ }(…u ] u
  const start = whole.indexOf('state_dict') + 'state_dict'.length;
  const end = whole.indexOf('uu.', start);
  const listed = Buffer.concat([
    whole.subarray(0, start),
    Buffer.from(']'),
    whole.subarray(start, end + 1),
    Buffer.from('a'),
    whole.subarray(end + 1),
  ]);
  const checkpoint = await opened(t, listed);
  assert.deepEqual(checkpoint.names, ['0.a']);
  assert.deepEqual([...(await checkpoint.tensor('0.a').read())], [7]);
});
