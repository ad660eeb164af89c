import { failure } from '../../core/errors.ts';
import type { CanonicalViews } from './canonical-names.ts';

/** The released UniCLIP file's names of the heads, and what the code calls them since. */
const HEAD_SPELLINGS: readonly (readonly [RegExp, string])[] = [
  [/ocr_exist(?=$|[._])/, 'ocr_presence'],
  [/ocr_content(?=$|[._])/, 'ocr_semantic'],
];

/** A model trained with FlashAttention names the vision blocks' stacked projections otherwise. */
const FLASH_VISION = /((?:^|\.)(?:self_|cross_)?attn)\.Wqkv\.(weight|bias)$/;
const FLASH_TEXT_QKV = /^(.*\.attention\.self)\.Wqkv\.(weight|bias)$/;
const FLASH_TEXT_OUT = /^(.*\.attention)\.self\.out_proj\.(weight|bias)$/;

/**
 * Brings every spelling of the UniCLIP family to the one of the reference code's `presence` and `semantic` heads with
 * query, key and value of BERT apart.
 */
export const uniclipViews: CanonicalViews = (name, tensor) => {
  const spelt = HEAD_SPELLINGS.reduce((text, [pattern, head]) => text.replace(pattern, head), name);
  const qkv = FLASH_TEXT_QKV.exec(spelt);
  if (qkv !== null) {
    const [, prefix = '', parameter = ''] = qkv;
    const rows = (tensor.shape[0] ?? 0) / 3;
    if (!Number.isInteger(rows)) {
      throw failure(
        'invalid_checkpoint',
        `${tensor.name} stacks query, key and value, but its rows are not three times as many.`,
      );
    }
    return ['query', 'key', 'value'].map((part, index) => [
      `${prefix}.${part}.${parameter}`,
      tensor.rows(index * rows, rows),
    ]);
  }
  const canonical = spelt.replace(FLASH_VISION, '$1.in_proj_$2').replace(FLASH_TEXT_OUT, '$1.output.dense.$2');
  return [[canonical, tensor]];
};
