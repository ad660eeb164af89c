import { join } from 'node:path';
import { packageRoot } from '../../src/core/package-root.ts';

/** Judgements and scores of 60 queries; names replaced, labels and scores of a real model on CBVS-20K. */
export const FIXTURES = join(packageRoot, 'test', 'fixtures', 'eval');

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
