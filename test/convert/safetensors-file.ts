/** Writes safetensors files, so that tests can have any, also broken ones. */

export interface SafeTensor {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

export function safeFloats(shape: readonly number[], values: readonly number[] | Float32Array): SafeTensor {
  return { dtype: 'F32', shape, bytes: new Uint8Array(Float32Array.from(values).buffer) };
}

export function safetensors(tensors: Readonly<Record<string, SafeTensor>>): Buffer {
  let position = 0;
  const header = Object.entries(tensors).map(([name, { dtype, shape, bytes }]) => {
    const begin = position;
    position += bytes.length;
    return [name, { dtype, shape, data_offsets: [begin, position] }];
  });
  return withHeader(
    JSON.stringify(Object.fromEntries(header)),
    Buffer.concat(Object.values(tensors).map(({ bytes }) => bytes)),
  );
}

export function withHeader(header: string, data: Uint8Array): Buffer {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(Buffer.byteLength(header)));
  return Buffer.concat([length, Buffer.from(header), data]);
}
