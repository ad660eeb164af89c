import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseNpy } from '../../src/cli/npy.ts';
import { isFailure } from '../../src/core/errors.ts';

/** A file as numpy.save writes it: the header is padded so that the data start at a multiple of 64. */
function npy(header: string, data: Buffer, version = 1): Buffer {
  const lengthBytes = version === 1 ? 2 : 4;
  const start = 8 + lengthBytes;
  const padded = `${header.padEnd(Math.ceil((start + header.length + 1) / 64) * 64 - start - 1)}\n`;
  const length = Buffer.alloc(lengthBytes);
  length.writeUIntLE(padded.length, 0, lengthBytes);
  return Buffer.concat([
    Buffer.from('\x93NUMPY', 'latin1'),
    Buffer.from([version, 0]),
    length,
    Buffer.from(padded),
    data,
  ]);
}

const values = Float32Array.of(1, -2.5, 3e-8, 4, 5, 6);
const data = Buffer.from(values.buffer);
const header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";

test('float32 in C order is read in each version of the format', () => {
  for (const version of [1, 2, 3]) {
    const { shape, data: read } = parseNpy(npy(header, data, version), 'x.npy');
    assert.deepEqual(shape, [2, 3]);
    assert.deepEqual(read, values);
  }
  assert.deepEqual(parseNpy(npy(header.replace('(2, 3)', '(6,)'), data), 'x').shape, [6]);
  assert.deepEqual(parseNpy(npy(header.replace('(2, 3)', '()'), data.subarray(0, 4)), 'x').shape, []);
});

test('data that do not start at a multiple of four are read as well', () => {
  const file = npy(header, data);
  const shifted = Buffer.concat([Buffer.alloc(1), file]).subarray(1);
  assert.deepEqual(parseNpy(shifted, 'x').data, values);
});

test('what cannot be used is named with its reason', () => {
  const cases: [Buffer, RegExp][] = [
    [Buffer.from('PK\x03\x04 not numpy at all'), /not a \.npy file/],
    [Buffer.alloc(3), /not a \.npy file/],
    [npy(header, data, 9), /version 9/],
    [npy(header.replace('<f4', '<f8'), data), /<f8/],
    [npy(header.replace('<f4', '>f4'), data), />f4/],
    [npy(header.replace('False', 'True'), data), /Fortran/],
    [npy(header.replace('(2, 3)', '(2, -3)'), data), /shape/],
    [npy(header.replace('(2, 3)', '(2, 4)'), data), /24 bytes.*needs 32/],
    [npy(header, data).subarray(0, 40), /ends within its header/],
    [npy(header, data).subarray(0, -1), /23 bytes/],
    [npy('{}', data), /header cannot be read/],
  ];
  for (const [file, reason] of cases) {
    assert.throws(
      () => parseNpy(file, 'bad.npy'),
      (error) => {
        assert.ok(isFailure(error, 'invalid_request'));
        assert.match(error.detail, /^bad\.npy /);
        assert.match(error.detail, reason);
        return true;
      },
    );
  }
});
