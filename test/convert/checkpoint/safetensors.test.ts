import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { openCheckpoint } from '../../../src/convert/checkpoint/open-checkpoint.ts';
import { isFailure } from '../../../src/core/errors.ts';
import { packageRoot } from '../../../src/core/package-root.ts';
import { safeFloats, safetensors, withHeader } from '../safetensors-file.ts';
import { refused, saved } from '../saved-checkpoint.ts';
import { floatTensor, torchZip } from '../torch-file.ts';

test('what the library wrote is read', async (t) => {
  const checkpoint = await openCheckpoint(join(packageRoot, 'test/fixtures/checkpoints/small.safetensors'));
  t.after(() => checkpoint.close());
  assert.equal(checkpoint.format, 'safetensors');
  const read = async (name: string): Promise<number[]> => [...(await checkpoint.tensor(name).read())];
  assert.deepEqual(checkpoint.tensor('transposed').shape, [4, 3]);
  assert.deepEqual(await read('transposed'), [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11]);
  assert.deepEqual([...(await checkpoint.tensor('whole').rows(2, 1).read())], [8, 9, 10, 11]);
  assert.deepEqual(await read('half'), [1.5, -2, 65504]);
  assert.deepEqual(await read('brain'), [1.5, -123.5]);
  assert.deepEqual(await read('long'), [-5, 7]);
  assert.deepEqual(await read('scalar'), [0.25]);
});

test('every truncation is refused', async (t) => {
  const whole = safetensors({ a: safeFloats([2, 2], [1, 2, 3, 4]), b: safeFloats([1], [5]) });
  const file = await saved(t, whole);
  for (let length = 0; length < whole.length; length++) {
    await writeFile(file, whole.subarray(0, length));
    await assert.rejects(openCheckpoint(file), (error) => isFailure(error, 'invalid_checkpoint'), `${length} bytes`);
  }
});

test('headers that do not describe the file are refused', async (t) => {
  const four = new Uint8Array(4);
  const tensor = (fields: object): string =>
    JSON.stringify({ a: { dtype: 'F32', shape: [1], data_offsets: [0, 4], ...fields } });
  await refused(t, withHeader('{"a":', four), /not valid JSON/);
  await refused(t, withHeader('{}', four), /no tensors/);
  await refused(t, withHeader(tensor({ dtype: 'F8_E4M3' }), four), /F8_E4M3, which is not read/);
  await refused(t, withHeader(tensor({ shape: [2] }), four), /does not fill its 4 bytes/);
  await refused(t, withHeader(tensor({ shape: [-1] }), four), /does not describe a/);
  await refused(t, withHeader(tensor({ shape: [2 ** 40, 2 ** 40] }), four), /does not fill/);
  await refused(t, withHeader(tensor({}), new Uint8Array(8)), /longer than its tensors/);
  await refused(t, withHeader(tensor({ data_offsets: [4, 8] }), new Uint8Array(8)), /gap or an overlap/);
  const twice =
    '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}';
  await refused(t, withHeader(twice, four), /gap or an overlap/);
});

test('a checkpoint in parts is opened by its index, whatever container its parts have', async (t) => {
  const first = await saved(t, safetensors({ a: safeFloats([2], [1, 2]), unused: safeFloats([1], [0]) }));
  const folder = dirname(first);
  await writeFile(join(folder, 'second.bin'), torchZip({ b: floatTensor([2], [3, 4]) }));
  const index = join(folder, 'model.safetensors.index.json');
  const map = { a: 'checkpoint.pt', b: 'second.bin' };
  await writeFile(index, JSON.stringify({ metadata: {}, weight_map: map }));
  const checkpoint = await openCheckpoint(index);
  t.after(() => checkpoint.close());
  assert.deepEqual(checkpoint.names, ['a', 'b']);
  assert.deepEqual(checkpoint.files, [index, first, join(folder, 'second.bin')]);
  assert.deepEqual([...(await checkpoint.tensor('b').read())], [3, 4]);

  for (const [content, reason] of [
    [{ weight_map: { ...map, c: 'second.bin' } }, /second\.bin lacks c/],
    [{ weight_map: { a: '../checkpoint.pt' } }, /not beside it/],
    [{ weight_map: { a: 7 } }, /not beside it/],
    [{ weight_map: { a: 'absent.bin' } }, /cannot be opened \(ENOENT\)/],
    [{ weight_map: { a: 'model.safetensors.index.json' } }, /neither/],
    [{ weight_map: {} }, /names 0 files/],
    [{ weights: {} }, /no weight_map/],
  ] as const) {
    await writeFile(index, JSON.stringify(content));
    await assert.rejects(
      openCheckpoint(index),
      (error) => isFailure(error, 'invalid_checkpoint') && reason.test(error.detail),
    );
  }
});
