import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isFailure } from '../../../src/core/errors.ts';
import { layOutRequest, readOutputs, type TensorSpec } from '../../../src/inference/remote/inference-protocol.ts';

interface Header {
  readonly parameters: Record<string, unknown>;
  readonly inputs: readonly { name: string; shape: number[]; datatype: string; parameters: Record<string, number> }[];
  readonly outputs: readonly { name: string; parameters: Record<string, unknown> }[];
}

const WIDTH: Readonly<Record<string, number>> = { INT64: 8, FP32: 4, INT8: 1 };

const tensors = fc.uniqueArray(
  fc.record({
    name: fc.string({ minLength: 1 }),
    type: fc.constantFrom<TensorSpec['type']>('int64', 'int8', 'float32'),
    dims: fc.array(fc.nat(5), { minLength: 1, maxLength: 3 }),
  }),
  { selector: ({ name }) => name, maxLength: 5 },
);

test('a header of any length leaves every tensor aligned, in the order and of the sizes that it names', () => {
  fc.assert(
    fc.property(tensors, fc.string(), (specs, parameter) => {
      const { body, headerBytes, inputs } = layOutRequest(specs, ['score'], { parameter });
      const header = JSON.parse(Buffer.from(body.subarray(0, headerBytes)).toString('utf8')) as Header;
      assert.equal(header.parameters['parameter'], parameter);
      let offset = headerBytes;
      for (const { name, shape, datatype, parameters } of header.inputs) {
        const tensor = inputs[name];
        assert.equal(tensor?.data.byteOffset, offset);
        assert.equal(offset % (WIDTH[datatype] ?? 0), 0);
        assert.equal(parameters['binary_data_size'], tensor?.data.byteLength);
        assert.deepEqual(shape, specs.find((spec) => spec.name === name)?.dims);
        offset += parameters['binary_data_size'] ?? 0;
      }
      assert.equal(offset, body.length);
      assert.equal(header.inputs.length, specs.length);
    }),
  );
});

test('a tensor in shared memory takes no room in the body', () => {
  const shared = { region: 'tokens', offset: 4096 };
  const { body, headerBytes, inputs } = layOutRequest([{ name: 't', type: 'int8', dims: [2, 50], shared }], [], {});
  assert.equal(body.length, headerBytes);
  assert.deepEqual(inputs, {});
  const header = JSON.parse(Buffer.from(body).toString('utf8')) as Header;
  assert.deepEqual(header.inputs[0]?.parameters, {
    shared_memory_region: 'tokens',
    shared_memory_offset: 4096,
    shared_memory_byte_size: 100,
  });
});

function answer(outputs: unknown, bytes: Uint8Array = new Uint8Array()): { body: Uint8Array; length: string } {
  const header = Buffer.from(JSON.stringify({ outputs }));
  return { body: Buffer.concat([header, bytes]), length: String(header.length) };
}

test('binary and JSON outputs are read side by side; other types are passed over', () => {
  const floats = Float32Array.of(0.25, -1);
  const { body, length } = answer(
    [
      { name: 'labels', datatype: 'INT64', shape: [1], parameters: { binary_data_size: 8 } },
      { name: 'a', datatype: 'FP32', shape: [2, 1], parameters: { binary_data_size: 8 } },
      { name: 'b', datatype: 'FP32', shape: [2, 1], data: [[0.5], [2]] },
    ],
    Buffer.concat([Buffer.alloc(8), Buffer.from(floats.buffer)]),
  );
  assert.deepEqual(
    readOutputs(body, length),
    new Map([
      ['a', floats],
      ['b', Float32Array.of(0.5, 2)],
    ]),
  );
});

test('whatever a server answers is read or refused as internal', () => {
  const refused = (body: Uint8Array, length: string | undefined): void => {
    assert.throws(
      () => readOutputs(body, length),
      (error) => isFailure(error, 'internal'),
    );
  };
  const cut = answer(
    [{ name: 'a', datatype: 'FP32', shape: [2], parameters: { binary_data_size: 8 } }],
    Buffer.alloc(7),
  );
  refused(cut.body, cut.length);
  const long = answer([], Buffer.alloc(1));
  refused(long.body, long.length);
  refused(long.body, '999');
  refused(long.body, 'many');
  refused(Buffer.from('null'), undefined);
  refused(Buffer.from('{"outputs":[{}]}'), undefined);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.option(fc.integer({ min: -5, max: 80 })), (body, length) => {
      try {
        readOutputs(body, length === null ? undefined : String(length));
      } catch (error) {
        assert.ok(isFailure(error, 'internal'), String(error));
      }
    }),
  );
  fc.assert(
    fc.property(fc.json(), (json) => {
      try {
        readOutputs(Buffer.from(`{"outputs":[${json}]}`), undefined);
      } catch (error) {
        assert.ok(isFailure(error, 'internal'), String(error));
      }
    }),
  );
});
