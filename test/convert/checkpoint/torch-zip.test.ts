import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { deflateRawSync } from 'node:zlib';
import { openCheckpoint } from '../../../src/convert/checkpoint/open-checkpoint.ts';
import { isFailure } from '../../../src/core/errors.ts';
import { opened, refused, saved } from '../saved-checkpoint.ts';
import { floatTensor, pickle, type StoredTensor, text, torchEntries, torchZip, zip } from '../torch-file.ts';

function stored(storage: string, values: ArrayBufferView, elements: number): StoredTensor {
  return {
    storage,
    bytes: new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
    elements,
    shape: [elements],
  };
}

test('every stored type is read as float32', async (t) => {
  const checkpoint = await opened(
    t,
    torchZip({
      float: stored('FloatStorage', Float32Array.of(1.5, -0.1), 2),
      // 1, -2, the smallest subnormal, the largest finite number, infinity
      half: stored('HalfStorage', Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x7bff, 0x7c00), 5),
      brain: stored('BFloat16Storage', Uint16Array.of(0x3fc0, 0xc2f7), 2),
      double: stored('DoubleStorage', Float64Array.of(0.1, -3), 2),
      long: stored('LongStorage', BigInt64Array.of(-5n, 7n), 2),
      int: stored('IntStorage', Int32Array.of(-6, 8), 2),
      short: stored('ShortStorage', Int16Array.of(-7, 9), 2),
      char: stored('CharStorage', Int8Array.of(-8, 10), 2),
      byte: stored('ByteStorage', Uint8Array.of(0, 255), 2),
      bool: stored('BoolStorage', Uint8Array.of(0, 1), 2),
    }),
  );
  const read = async (name: string): Promise<number[]> => [...(await checkpoint.tensor(name).read())];
  assert.deepEqual(await read('float'), [1.5, Math.fround(-0.1)]);
  assert.deepEqual(await read('half'), [1, -2, 2 ** -24, 65504, Number.POSITIVE_INFINITY]);
  assert.deepEqual(await read('brain'), [1.5, -123.5]);
  assert.deepEqual(await read('double'), [Math.fround(0.1), -3]);
  for (const [name, low, high] of [
    ['long', -5, 7],
    ['int', -6, 8],
    ['short', -7, 9],
    ['char', -8, 10],
    ['byte', 0, 255],
    ['bool', 0, 1],
  ] as const) {
    assert.deepEqual(await read(name), [low, high], name);
  }
});

test('views with strides, offsets and shared storages are read in row-major order', async (t) => {
  const numbers = floatTensor(
    [12],
    Array.from({ length: 12 }, (_, index) => index),
  );
  const shared = { ...numbers, key: 'shared' };
  const checkpoint = await opened(
    t,
    torchZip({
      whole: { ...shared, shape: [3, 4] },
      transposed: { ...shared, shape: [4, 3], strides: [1, 4] },
      column: { ...shared, shape: [3, 1], strides: [4, 1], offset: 2 },
      tail: { ...shared, shape: [2, 2], offset: 8 },
      scalar: { ...shared, shape: [], offset: 5 },
      empty: { ...shared, shape: [0, 4] },
    }),
  );
  const read = async (name: string): Promise<number[]> => [...(await checkpoint.tensor(name).read())];
  assert.deepEqual(await read('whole'), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  assert.deepEqual(await read('transposed'), [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11]);
  assert.deepEqual(await read('column'), [2, 6, 10]);
  assert.deepEqual(await read('tail'), [8, 9, 10, 11]);
  assert.deepEqual(await read('scalar'), [5]);
  assert.deepEqual(await read('empty'), []);
  assert.deepEqual([...(await checkpoint.tensor('transposed').rows(1, 2).read())], [1, 5, 9, 2, 6, 10]);
});

test('big-endian storages are swapped', async (t) => {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setFloat32(0, 1.25, false);
  const entries = torchEntries({ x: stored('FloatStorage', bytes, 1) }).map((entry) =>
    entry.name.endsWith('byteorder') ? { ...entry, bytes: Buffer.from('big') } : entry,
  );
  assert.deepEqual([...(await (await opened(t, zip(entries))).tensor('x').read())], [1.25]);
});

test('a view that repeats its storage is not expanded in memory', async (t) => {
  const tensor = { ...floatTensor([1], [1]), shape: [1_000_000, 1_000_000], strides: [0, 0] };
  const checkpoint = await opened(t, torchZip({ tensor }));
  await assert.rejects(checkpoint.tensor('tensor').read(), /repeats values/);
});

test('every truncation is refused', async (t) => {
  const whole = torchZip({ a: floatTensor([4], [1, 2, 3, 4]), b: floatTensor([2], [5, 6]) });
  const file = await saved(t, whole);
  for (let length = 0; length < whole.length; length += 7) {
    await writeFile(file, whole.subarray(0, length));
    await assert.rejects(openCheckpoint(file), (error) => isFailure(error, 'invalid_checkpoint'), `${length} bytes`);
  }
});

test('damaged values are noticed by their checksum', async (t) => {
  const whole = torchZip({ a: floatTensor([4], [1.25, 2.5, 3, 4]) });
  const position = whole.indexOf(Buffer.from(Float32Array.of(1.25, 2.5).buffer));
  whole[position] = (whole[position] ?? 0) ^ 1;
  const checkpoint = await opened(t, whole);
  await assert.rejects(checkpoint.tensor('a').read(), /damaged/);
});

test('archives that are no checkpoints are told apart', async (t) => {
  const entries = torchEntries({ a: floatTensor([1], [1]) });
  await refused(t, Buffer.from(''), /empty/);
  await refused(t, Buffer.from('<html>not found</html>'), /neither what torch.save writes nor safetensors/);
  await refused(t, zip([{ name: 'word/document.xml', bytes: Buffer.from('x') }]), /no data\.pkl/);
  await refused(t, zip([...entries, { name: 'archive/constants.pkl', bytes: Buffer.from('x') }]), /TorchScript/);
  await refused(t, zip([...entries, entries[1] as (typeof entries)[0]]), /two entries named/);
  await refused(t, zip(entries.filter(({ name }) => !name.includes('/data/'))), /no entry archive\/data\/0/);
  await refused(t, zip([{ name: 'archive/data.pkl', bytes: pickle(text('hello')) }]), /no state dict/);
});

test('a compressed entry is refused before anything is inflated', async (t) => {
  const bomb = deflateRawSync(Buffer.alloc(1 << 20));
  const bytes = zip([...torchEntries({ a: floatTensor([1], [1]) }), { name: 'archive/data/1', bytes: bomb }]);
  const directoryEntry = bytes.lastIndexOf('PK\x01\x02', undefined, 'latin1');
  bytes.writeUInt16LE(8, directoryEntry + 10);
  bytes.writeUInt32LE(1 << 20, directoryEntry + 24);
  await refused(t, bytes, /compressed or encrypted/);
});

test('a storage shorter than its tensors is refused', async (t) => {
  await refused(t, torchZip({ a: { ...floatTensor([8], [1, 2]), elements: 8 } }), /too short/);
});
