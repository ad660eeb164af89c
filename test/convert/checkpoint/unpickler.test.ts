import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { OpaqueValue } from '../../../src/convert/checkpoint/pickle-globals.ts';
import { TensorReference } from '../../../src/convert/checkpoint/tensor-reference.ts';
import { unpickle } from '../../../src/convert/checkpoint/unpickler.ts';
import { isFailure } from '../../../src/core/errors.ts';
import { call, dict, floatTensor, integer, pickle, text, torchEntries, tuple } from '../torch-file.ts';

const checkpointPickle = Buffer.from(
  torchEntries({ 'a.weight': floatTensor([2, 2], [1, 2, 3, 4]), 'a.bias': floatTensor([2], [5, 6]) })[0]?.bytes ?? [],
);

function refused(bytes: Buffer, reason: RegExp): void {
  assert.throws(
    () => unpickle(bytes),
    (error) => isFailure(error, 'invalid_checkpoint') && reason.test(error.detail),
  );
}

/** Code points above 255 are not meant to occur: one character is one byte. */
const raw = (bytes: string): Buffer => Buffer.from(bytes, 'latin1');

test('plain values of every protocol come out as plain data', () => {
  assert.deepEqual(unpickle(raw('\x80\x02]q\x00(K\x01M\x00\x01J\xff\xff\xff\xffNe.')), [1, 256, -1, null]);
  assert.deepEqual(unpickle(raw('\x80\x02\x8a\x05\x00\x00\x00\x00\x80.')), -(2 ** 39));
  assert.deepEqual(unpickle(raw('\x80\x02G?\xf8\x00\x00\x00\x00\x00\x00.')), 1.5);
  assert.deepEqual(
    unpickle(raw('\x80\x04\x95\x0a\x00\x00\x00\x00\x00\x00\x00}\x94\x8c\x01a\x94\x88s.')),
    new Map([['a', true]]),
  );
  assert.deepEqual(unpickle(raw('\x80\x04\x8f\x94(K\x01K\x02\x90.')), new Set([1, 2]));
  assert.deepEqual(unpickle(raw('\x80\x02U\x02\xe9a(K\x01K\x02t\x86.')), ['éa', [1, 2]]);
  assert.equal(unpickle(raw('\x80\x02\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x01.')), 2n ** 64n);
});

test('a tensor is a view of its storage', () => {
  const [tensors] = [...(unpickle(checkpointPickle) as Map<string, Map<string, unknown>>).values()];
  const weight = tensors?.get('a.weight');
  assert.ok(weight instanceof TensorReference);
  assert.deepEqual(weight.shape, [2, 2]);
  assert.deepEqual(weight.strides, [2, 1]);
  assert.equal(weight.storage.key, '0');
});

test('attributes, arguments and numpy scalars are carried as opaque values', () => {
  const namespace = Buffer.concat([
    call('argparse', 'Namespace', tuple()),
    dict(text('lr'), integer(1)),
    Buffer.from('b'),
  ]);
  const scalar = call('numpy._core.multiarray', 'scalar', tuple(call('numpy', 'dtype', tuple(text('f8')))));
  const value = unpickle(pickle(dict(text('args'), namespace, text('best'), scalar))) as Map<string, unknown>;
  assert.ok(value.get('args') instanceof OpaqueValue);
  assert.ok(value.get('best') instanceof OpaqueValue);
});

test('a list that is gone through again and again is too much work, however few bytes ask for it', () => {
  const pairs = '(K\x01K\x02t'.repeat(30_000);
  const list = `\x80\x02](${pairs}eq\x00`;
  const copied = 'ccollections\nOrderedDict\nq\x010';
  const again = 'h\x01h\x00\x85R0'.repeat(2_000);
  refused(raw(`${list}${copied}${again}.`), /larger than any checkpoint needs/);
});

test('what a pickle would call is named and never called', () => {
  for (const [module, name] of [
    ['os', 'system'],
    ['posix', 'system'],
    ['builtins', 'eval'],
    ['builtins', 'getattr'],
    ['torch', 'load'],
    ['torch.storage', '_load_from_bytes'],
    ['subprocess', 'Popen'],
    ['collections', '__proto__'],
  ] as const) {
    refused(pickle(call(module, name, tuple(text('touch /tmp/x')))), new RegExp(`${module}\\.${name}`));
  }
  // The same through STACK_GLOBAL.
  refused(raw('\x80\x04\x8c\x02os\x8c\x06system\x93.'), /os\.system/);
});

test('malformed pickles are refused with a reason', () => {
  refused(raw(''), /truncated/);
  refused(raw('\x80\x01.'), /protocol 1/);
  refused(raw('\x80\x02.'), /stack is empty/);
  refused(raw('\x80\x02t.'), /mark is missing/);
  refused(raw('\x80\x02h\x07.'), /memo 7/);
  refused(raw('\x80\x02Z.'), /unknown opcode 0x5a/);
  refused(raw('\x80\x02K\x01K\x02a.'), /no list/);
  refused(raw('\x80\x02}K\x01u.'), /mark is missing/);
  refused(raw('\x80\x02K\x01)R.'), /no known global/);
  refused(raw('\x80\x02X\xff\xff\xff\xff.'), /truncated/);
  refused(raw('\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\xff.'), /absurd/);
  refused(raw(`\x80\x02\x8b\x00\x00\x01\x00${'\x01'.repeat(0x10000)}.`), /absurdly long/);
});

test('a view outside its storage is refused', () => {
  const outside = { ...floatTensor([2, 3], [1, 2, 3, 4]), elements: 4 };
  refused(Buffer.from(torchEntries({ x: outside })[0]?.bytes ?? []), /reaches outside its storage/);
  const shifted = { ...floatTensor([2, 2], [1, 2, 3, 4]), offset: 1 };
  refused(Buffer.from(torchEntries({ x: shifted })[0]?.bytes ?? []), /reaches outside its storage/);
});

test('a list that contains itself neither hangs nor overflows', () => {
  const value = unpickle(raw('\x80\x02]q\x00h\x00a.')) as unknown[];
  assert.equal(value[0], value);
});

test('every truncation of a checkpoint pickle is refused', () => {
  for (let length = 0; length < checkpointPickle.length; length++) {
    assert.throws(
      () => unpickle(checkpointPickle.subarray(0, length)),
      (error) => isFailure(error, 'invalid_checkpoint'),
    );
  }
});

test('mutated pickles give plain data or a refusal, nothing else', () => {
  const mutation = fc.tuple(fc.nat(checkpointPickle.length - 1), fc.nat(255));
  fc.assert(
    fc.property(fc.array(mutation, { minLength: 1, maxLength: 6 }), (mutations) => {
      const bytes = Buffer.from(checkpointPickle);
      for (const [position, byte] of mutations) bytes[position] = byte;
      survives(bytes);
    }),
    { numRuns: 2000 },
  );
});

test('random opcodes give plain data or a refusal, nothing else', () => {
  const opcodes = [...'.(012qrhjNKMJGXUTCB)t]lae}dsucRbQ'].map((character) => character.charCodeAt(0));
  const opcode = fc.constantFrom(
    ...opcodes,
    ...[0x81, 0x85, 0x86, 0x87, 0x88, 0x8a, 0x8c, 0x8f, 0x90, 0x91, 0x92, 0x93, 0x94],
  );
  fc.assert(
    fc.property(fc.array(fc.oneof({ arbitrary: opcode, weight: 4 }, fc.nat(255)), { maxLength: 200 }), (bytes) => {
      survives(Buffer.from([0x80, 2, ...bytes]));
    }),
    { numRuns: 3000 },
  );
});

function survives(bytes: Buffer): void {
  try {
    unpickle(bytes);
  } catch (error) {
    assert.ok(isFailure(error, 'invalid_checkpoint'), String(error));
  }
}
