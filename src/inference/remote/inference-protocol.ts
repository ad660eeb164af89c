import { failure } from '../../core/errors.ts';
import type { Tensor, TensorMap } from '../../core/ports.ts';

/**
 * The Open Inference Protocol's HTTP form (version 2) with its binary tensor data extension: a JSON header followed by
 * the tensors' bytes, little endian, in the order in which the header names them. Inference-Header-Content-Length says
 * where the header ends.
 */
export const HEADER_LENGTH = 'inference-header-content-length';

export type WireType = 'int64' | 'int8' | 'float32';

/** The protocol's names of the element types that are used here. */
export const DATATYPE = { int64: 'INT64', int8: 'INT8', float32: 'FP32' } as const satisfies Record<WireType, string>;

const ELEMENT_BYTES = { int64: 8, float32: 4, int8: 1 } as const satisfies Record<WireType, number>;
const ALIGNMENT = 8;

export interface TensorSpec {
  readonly name: string;
  readonly type: WireType;
  readonly dims: readonly number[];
  /** Where the bytes lie in memory that the server shares; without it they are sent. */
  readonly shared?: { readonly region: string; readonly offset: number };
}

export interface InferRequest {
  readonly body: Uint8Array;
  /** Bytes of the JSON header at the start of the body. */
  readonly headerBytes: number;
  /** The inputs that are sent, by name, all zero: views into the body, to be filled in place. */
  readonly inputs: TensorMap;
}

/**
 * Lays out a request whose tensors are written into the body by the caller, so that megabytes of tokens are copied
 * once. `outputs` are asked for in binary form.
 */
export function layOutRequest(
  specs: readonly TensorSpec[],
  outputs: readonly string[],
  parameters: Readonly<Record<string, number | string | boolean>>,
): InferRequest {
  // Wide elements first: every tensor then starts where its elements are aligned.
  const ordered = [...specs].sort((a, b) => ELEMENT_BYTES[b.type] - ELEMENT_BYTES[a.type]);
  const header = alignedHeader({
    parameters,
    inputs: ordered.map((spec) => ({
      name: spec.name,
      shape: spec.dims,
      datatype: DATATYPE[spec.type],
      parameters: placeOf(spec),
    })),
    outputs: outputs.map((name) => ({ name, parameters: { binary_data: true } })),
  });
  const sent = ordered.filter(({ shared }) => shared === undefined);
  const body = new Uint8Array(header.length + sent.reduce((sum, spec) => sum + byteLength(spec), 0));
  body.set(header);
  const inputs: Record<string, Tensor> = {};
  let offset = header.length;
  for (const spec of sent) {
    inputs[spec.name] = { type: spec.type, dims: spec.dims, data: view(spec, body.buffer, offset) };
    offset += byteLength(spec);
  }
  return { body, headerBytes: header.length, inputs };
}

function placeOf(spec: TensorSpec): Record<string, number | string> {
  const bytes = byteLength(spec);
  if (spec.shared === undefined) return { binary_data_size: bytes };
  const { region, offset } = spec.shared;
  return { shared_memory_region: region, shared_memory_offset: offset, shared_memory_byte_size: bytes };
}

/** JSON may end in spaces; they bring what follows to an aligned place. */
function alignedHeader(content: unknown): Buffer {
  const json = Buffer.from(JSON.stringify(content));
  const padding = (ALIGNMENT - (json.length % ALIGNMENT)) % ALIGNMENT;
  return Buffer.concat([json, Buffer.alloc(padding, ' ')]);
}

function byteLength({ type, dims }: TensorSpec): number {
  return dims.reduce((product, size) => product * size, ELEMENT_BYTES[type]);
}

function view({ type, dims }: TensorSpec, buffer: ArrayBuffer, offset: number): Tensor['data'] {
  const length = dims.reduce((product, size) => product * size, 1);
  if (type === 'int64') return new BigInt64Array(buffer, offset, length);
  if (type === 'float32') return new Float32Array(buffer, offset, length);
  return new Int8Array(buffer, offset, length);
}

interface WireOutput {
  readonly name?: unknown;
  readonly datatype?: unknown;
  readonly data?: unknown;
  readonly parameters?: { readonly binary_data_size?: unknown };
}

/**
 * The float32 outputs of an answer by name, binary or as JSON numbers. `headerLength` is the header of that name.
 * Fails with `internal` when the answer is not of the protocol's form.
 */
export function readOutputs(body: Uint8Array, headerLength: string | undefined): ReadonlyMap<string, Float32Array> {
  const headerBytes = headerLength === undefined ? body.length : Number(headerLength);
  if (!Number.isInteger(headerBytes) || headerBytes < 0 || headerBytes > body.length)
    throw malformed('its header is cut off');
  const outputs = outputsOf(body.subarray(0, headerBytes));
  const read = new Map<string, Float32Array>();
  let offset = headerBytes;
  for (const { name, datatype, data, parameters } of outputs) {
    if (typeof name !== 'string') throw malformed('an output has no name');
    const size = parameters?.binary_data_size;
    if (typeof size === 'number') {
      if (!Number.isInteger(size) || size < 0 || offset + size > body.length) throw malformed(`${name} is cut off`);
      if (datatype === DATATYPE.float32 && size % 4 === 0) {
        // Copied: where it lies in the body it may not be aligned.
        read.set(name, new Float32Array(new Uint8Array(body.subarray(offset, offset + size)).buffer));
      }
      offset += size;
    } else if (datatype === DATATYPE.float32 && Array.isArray(data)) {
      read.set(name, Float32Array.from(data.flat(), Number));
    }
  }
  if (offset !== body.length) throw malformed('it holds more than its header says');
  return read;
}

function outputsOf(header: Uint8Array): readonly WireOutput[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(header.buffer, header.byteOffset, header.byteLength).toString('utf8'));
  } catch (cause) {
    throw failure('internal', 'The answer of the reranking server is not valid: its header is no JSON.', { cause });
  }
  const outputs = (parsed as { readonly outputs?: unknown } | null)?.outputs;
  if (!Array.isArray(outputs)) throw malformed('it has no outputs');
  if (outputs.some((output) => typeof output !== 'object' || output === null)) throw malformed('an output is none');
  return outputs as readonly WireOutput[];
}

function malformed(what: string): Error {
  return failure('internal', `The answer of the reranking server is not valid: ${what}.`);
}
