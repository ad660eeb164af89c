import { failure } from '../core/errors.ts';
import type { CheckpointTensor } from './checkpoint/checkpoint.ts';

/** A weight in the layout that a graph wants; its values are made when they are written. */
export interface Weight {
  readonly name: string;
  readonly shape: readonly number[];
  read(): Promise<Float32Array>;
}

/** Weights of a recognised model by their canonical names. */
export interface WeightSource {
  has(name: string): boolean;
  shape(name: string): readonly number[];
  /** Throws `invalid_checkpoint` when it is missing; reading rejects when a value is NaN or infinite. */
  get(name: string): CheckpointTensor;
}

/** Rejects infinities and NaN, naming the weight: they would otherwise surface as NaN in an answer. */
export async function readFinite(name: string, tensor: CheckpointTensor): Promise<Float32Array> {
  const values = await tensor.read();
  for (let i = 0; i < values.length; i++) {
    if (!Number.isFinite(values[i])) {
      throw failure('invalid_checkpoint', `The weight ${name} holds ${values[i]} at element ${i}.`);
    }
  }
  return values;
}

/** [rows, columns] → [columns, rows]: torch keeps a linear layer as [out, in], ONNX multiplies by [in, out]. */
export function transposed(weight: Weight): Weight {
  const [rows = 0, columns = 0] = weight.shape;
  return {
    name: weight.name,
    shape: [columns, rows],
    async read() {
      const source = await weight.read();
      const target = new Float32Array(source.length);
      for (let row = 0; row < rows; row++) {
        for (let column = 0; column < columns; column++) {
          target[column * rows + row] = source[row * columns + column] as number;
        }
      }
      return target;
    },
  };
}

/** The weights below each other, along the first dimension. */
export function stacked(name: string, weights: readonly Weight[]): Weight {
  const [first] = weights;
  if (first === undefined) throw new RangeError('nothing to stack');
  const rows = weights.reduce((sum, { shape }) => sum + (shape[0] ?? 0), 0);
  return {
    name,
    shape: [rows, ...first.shape.slice(1)],
    async read() {
      const parts: Float32Array[] = [];
      for (const weight of weights) parts.push(await weight.read());
      const joined = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
      let offset = 0;
      for (const part of parts) {
        joined.set(part, offset);
        offset += part.length;
      }
      return joined;
    },
  };
}

/** The same values under another name or in another shape of as many elements. */
export function named(name: string, weight: Weight, shape: readonly number[] = weight.shape): Weight {
  return { name, shape, read: () => weight.read() };
}
