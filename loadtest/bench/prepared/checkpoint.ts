import { open } from 'node:fs/promises';
import { uniclipTensors } from '../../../src/convert/architectures/uniclip-layout.ts';
import { createRandom, type Random } from '../../random.ts';
import { type ModelSize, uniclipSizes } from './model-sizes.ts';

const SEED = 20_240_123;
/** As BERT and CLIP are initialised: rows then stay apart through all layers, and no number overflows. */
const STANDARD_DEVIATION = 0.02;
const BYTES = Float32Array.BYTES_PER_ELEMENT;

/**
 * Writes a safetensors file of a UniCLIP with random weights, the same at every call: how long a model takes does not
 * depend on what its weights are.
 */
export async function writeRandomCheckpoint(file: string, size: ModelSize): Promise<void> {
  const tensors = [...uniclipTensors(uniclipSizes(size))];
  const random = createRandom(SEED);
  const handle = await open(file, 'w');
  try {
    await handle.write(header(tensors));
    for (const [name, shape] of tensors) {
      await handle.write(new Uint8Array(randomTensor(name, elements(shape), random).buffer));
    }
  } finally {
    await handle.close();
  }
}

/** The header's length (u64), then type, shape and byte range of every tensor as JSON. */
function header(tensors: readonly (readonly [string, readonly number[]])[]): Buffer {
  let end = 0;
  const entries = tensors.map(([name, shape]) => {
    const begin = end;
    end += elements(shape) * BYTES;
    return [name, { dtype: 'F32', shape, data_offsets: [begin, end] }];
  });
  const json = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json]);
}

/** Norms near the identity, everything else even around 0. */
function randomTensor(name: string, count: number, random: Random): Float32Array<ArrayBuffer> {
  const middle = /(?:ln_\w+|LayerNorm)\.weight$/.test(name) ? 1 : 0;
  const reach = STANDARD_DEVIATION * Math.sqrt(3);
  const values = new Float32Array(count);
  for (let i = 0; i < count; i++) values[i] = middle + (2 * random() - 1) * reach;
  return values;
}

function elements(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}
