import { readFile } from 'node:fs/promises';
import type { Bundle } from '../../src/inference/bundle.ts';
import { createRandom, type Random } from '../random.ts';

/** 12 ids with [CLS] and [SEP]. */
const CHARACTERS = 10;
const HAN = /^\p{Script=Han}$/u;

/** Queries of Chinese characters, by default ten: as long as most real ones or longer. Hardly one comes twice. */
export async function createQueryTexts(bundle: Bundle, seed = 1, length = CHARACTERS): Promise<() => string> {
  const vocabulary = await readFile(bundle.path(bundle.manifest.tokenizer.vocab), 'utf8');
  const characters = vocabulary.split(/\r?\n/).filter((piece) => HAN.test(piece));
  const random = createRandom(seed);
  return () => Array.from({ length }, () => pick(characters, random)).join('');
}

function pick<T>(items: readonly T[], random: Random): T {
  return items[Math.floor(random() * items.length)] as T;
}
