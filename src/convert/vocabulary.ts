import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { failure } from '../core/errors.ts';
import { packageRoot } from '../core/package-root.ts';

/** The vocabulary of Google's Chinese BERT, which all published models of the family share. */
export const DEFAULT_VOCABULARY = join(packageRoot, 'models', 'vocab', 'bert-base-chinese.txt');

export interface Vocabulary {
  readonly bytes: Buffer;
  readonly pieces: readonly string[];
  /** Throws `invalid_checkpoint` when the piece is not in the vocabulary. */
  id(piece: string): number;
}

/**
 * Reads a vocabulary, one piece a line, and checks it against the embedding tables that its ids look up.
 * Rejects with `invalid_checkpoint`.
 */
export async function readVocabulary(file: string, embeddingRows: readonly number[]): Promise<Vocabulary> {
  const bytes = await readFile(file).catch((error: NodeJS.ErrnoException) => {
    throw failure('invalid_checkpoint', `The vocabulary ${file} cannot be read (${error.code}).`, { cause: error });
  });
  const pieces = bytes
    .toString('utf8')
    .replace(/\r?\n$/, '')
    .split(/\r?\n/);
  for (const rows of embeddingRows) {
    if (rows !== pieces.length) {
      throw failure(
        'invalid_checkpoint',
        `The vocabulary ${file} has ${pieces.length} pieces, but the checkpoint embeds ${rows}. Name its own with --vocab.`,
      );
    }
  }
  const ids = new Map(pieces.map((piece, id) => [piece, id]));
  const vocabulary = {
    bytes,
    pieces,
    id(piece: string): number {
      const id = ids.get(piece);
      if (id === undefined) throw failure('invalid_checkpoint', `The vocabulary ${file} has no piece ${piece}.`);
      return id;
    },
  };
  for (const piece of ['[UNK]', '[CLS]', '[SEP]']) vocabulary.id(piece);
  // Texts are padded with id 0, which the mask and the semantic head take for padding.
  if (vocabulary.id('[PAD]') !== 0) {
    throw failure('invalid_checkpoint', `The vocabulary ${file} does not have [PAD] as its first piece.`);
  }
  return vocabulary;
}
