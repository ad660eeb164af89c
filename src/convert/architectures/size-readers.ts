import { failure } from '../../core/errors.ts';
import { elementCount } from '../onnx/graph.ts';
import type { CanonicalWeights } from './canonical-names.ts';

/** What is read off names and shapes in every tower. All of them throw `invalid_checkpoint`, naming the tensor. */

/** Width of an attention head in all published towers but one. */
export const HEAD_WIDTH = 64;

/** Its shape, which must have so many dimensions and no empty one. */
export function shapeOf(weights: CanonicalWeights, name: string, dimensions: number): readonly number[] {
  const shape = weights.shape(name);
  if (shape.length !== dimensions || shape.includes(0)) {
    throw failure(
      'invalid_checkpoint',
      `${name} has shape [${shape.join(', ')}]; ${dimensions} dimensions are expected.`,
    );
  }
  return shape;
}

/** Layers are numbered from 0 without gaps; a gap shows later as missing tensors. */
export function countLayers(weights: CanonicalWeights, prefix: string): number {
  const numbers = weights.names
    .filter((name) => name.startsWith(`${prefix}.`))
    .map((name) => Number(name.slice(prefix.length + 1).split('.', 1)[0]));
  const highest = numbers.reduce((most, number) => Math.max(most, number), -1);
  if (!Number.isInteger(highest) || highest < 0 || highest > 1000) {
    throw failure('invalid_checkpoint', `The checkpoint has no layers under ${prefix}.`);
  }
  return highest + 1;
}

export function mlpWidth(weights: CanonicalWeights, name: string): number {
  return shapeOf(weights, name, 2)[0] ?? 0;
}

/** Side of the grid behind a class token (or mean) in a position table [1 + side * side, W]. */
export function gridSize(weights: CanonicalWeights, name: string): number {
  const [rows = 0] = shapeOf(weights, name, 2);
  const grid = Math.sqrt(rows - 1);
  if (!Number.isInteger(grid) || grid < 1) {
    throw failure('invalid_checkpoint', `${name} has ${rows} rows: no class token and square grid.`);
  }
  return grid;
}

/** `given`, or width / headWidth. Throws `invalid_config` when what was given does not divide the width. */
export function headCount(
  tower: 'vision' | 'text',
  width: number,
  headWidth: number,
  given: number | undefined,
): number {
  const heads = given ?? width / headWidth;
  if (Number.isInteger(heads) && heads >= 1 && width % heads === 0) return heads;
  if (given === undefined) {
    throw failure(
      'invalid_checkpoint',
      `The ${tower} tower is ${width} wide, no multiple of ${headWidth}: name its heads with --${tower}-heads.`,
    );
  }
  throw failure('invalid_config', `--${tower}-heads ${given} does not divide the ${tower} tower's width of ${width}.`);
}

export function hasAny(weights: CanonicalWeights, prefixes: readonly string[]): boolean {
  return weights.names.some((name) => prefixes.some((prefix) => name.startsWith(prefix)));
}

/** Numbers in these tensors. */
export function countParameters(weights: CanonicalWeights, names: readonly string[]): number {
  return names.reduce((sum, name) => sum + elementCount(weights.shape(name)), 0);
}
