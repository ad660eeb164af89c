import { readFile } from 'node:fs/promises';
import type { Bundle } from '../../src/inference/bundle.ts';
import { createRandom, type Random } from '../random.ts';

const CHARACTERS = 10;
/** The characters with [CLS] and [SEP]. */
export const QUERY_IDS = CHARACTERS + 2;
const HAN = /^\p{Script=Han}$/u;

/** Queries of ten Chinese characters, 12 ids each: as long as most real ones or longer. None comes twice. */
export async function createQueryTexts(bundle: Bundle, seed = 1): Promise<() => string> {
  const vocabulary = await readFile(bundle.path(bundle.manifest.tokenizer.vocab), 'utf8');
  const characters = vocabulary.split(/\r?\n/).filter((piece) => HAN.test(piece));
  const random = createRandom(seed);
  return () => Array.from({ length: CHARACTERS }, () => pick(characters, random)).join('');
}

function pick<T>(items: readonly T[], random: Random): T {
  return items[Math.floor(random() * items.length)] as T;
}
