import { failure } from '../../core/errors.ts';
import { type TokenBits, type TokenShape, tokenCount } from '../towers/image-tokens.ts';
import type { PlanOptions } from './bundle-plan.ts';
import type { VisionSizes } from './vision-sizes.ts';

/** Choices that the caller may make within what the position tables allow. */

/** [CLS], one piece, [SEP] */
const LEAST_CONTEXT_LENGTH = 3;

/** `given`, or the usual length as far as there are positions. Throws `invalid_config` when there are too few. */
export function chooseLength(option: string, given: number | undefined, usual: number, positions: number): number {
  const length = given ?? Math.min(usual, positions);
  if (length < LEAST_CONTEXT_LENGTH || length > positions) {
    throw failure(
      'invalid_config',
      `${option} ${length} is out of range: the model has positions for ${LEAST_CONTEXT_LENGTH} to ${positions} ids.`,
    );
  }
  return length;
}

/** `given`, or as trained. Throws `invalid_config` for a size that the tower cannot have. */
export function chooseImageSize(vision: VisionSizes, given: number | undefined): number {
  const size = given ?? vision.size;
  if (vision.kind === 'vit' && size % vision.patch !== 0) {
    throw failure('invalid_config', `--image-size ${size} is no multiple of the patch size of ${vision.patch}.`);
  }
  if (vision.kind === 'resnet' && size !== vision.size) {
    throw failure('invalid_config', `--image-size ${size} does not fit a ResNet that was trained at ${vision.size}.`);
  }
  return size;
}

/**
 * Of every tower the class token and one per patch, or per so many of them; a ResNet has no tokens that a head could
 * read. Throws `invalid_config` when more patches are to be pooled than there are, and for bits that a token does not
 * fill bytes with.
 */
export function tokenShape(
  vision: VisionSizes,
  imageSize: number,
  { tokenBits, poolTokens: pool = 1 }: Pick<PlanOptions, 'tokenBits' | 'poolTokens'>,
  usualBits: TokenBits,
  towers = 1,
): TokenShape {
  const fits = (bits: TokenBits): boolean => Number.isInteger((vision.width * (bits - 8)) / 8);
  const bits = tokenBits ?? (fits(usualBits) ? usualBits : 16);
  if (vision.kind !== 'vit') return { count: 0, towers, grid: 0, pool: 1, width: vision.width, bits };
  if (!fits(bits)) {
    throw failure(
      'invalid_config',
      `--token-bits ${bits} does not fit tokens of ${vision.width} numbers: use 8 or 16.`,
    );
  }
  const grid = imageSize / vision.patch;
  if (pool > grid) {
    throw failure('invalid_config', `--pool-tokens ${pool} is out of range: a picture has ${grid} x ${grid} patches.`);
  }
  return { count: towers * tokenCount(grid, pool), towers, grid, pool, width: vision.width, bits };
}
