import type { CoverStore } from './cover-store.ts';
import { demandEmbedding } from './encode-write.ts';
import type { StoredCover } from './record-codec.ts';

/**
 * What is wrong with what the store holds of `cover`, besides the cover's own record: one line each. Image tokens and
 * thumbnail are looked for, not read.
 */
export function* coverProblems(store: CoverStore, cover: StoredCover, embeddingDim: number): Iterable<string> {
  const { label } = cover;
  const name = `cover ${JSON.stringify(cover.id)}`;
  const problem = problemOf(() => {
    if (store.idOf(label) !== cover.id) return 'its content belongs to another cover';
    const embedding = store.embedding(label);
    if (embedding === undefined) return 'its embedding is missing';
    demandEmbedding(embedding, embeddingDim);
    return undefined;
  });
  if (problem !== undefined) yield `${name}: ${problem}`;
  if (cover.hasTokens && !store.hasTokens(label)) yield `${name}: its image tokens are missing`;
  if (cover.hasThumbnail && !store.hasThumbnail(label)) yield `${name}: its thumbnail is missing`;
}

/** What `look` says or fails with. */
export function problemOf(look: () => string | undefined): string | undefined {
  try {
    return look();
  } catch (error) {
    return (error as Error).message;
  }
}
