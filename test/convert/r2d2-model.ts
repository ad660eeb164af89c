import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { parseNpy } from '../../src/cli/npy.ts';
import { packageRoot } from '../../src/core/package-root.ts';

/** What the reference code computed; matrices are [image][text]. */
export interface Golden {
  readonly images: readonly string[];
  readonly texts: readonly string[];
  /** [CLS] … [SEP], without padding. */
  readonly token_ids: readonly (readonly number[])[];
  readonly text_embedding: readonly (readonly number[])[];
  readonly image_embedding: readonly (readonly number[])[];
  readonly cosine: readonly (readonly number[])[];
  readonly itm_text: readonly (readonly number[])[];
  readonly itm_image: readonly (readonly number[])[];
  readonly score: readonly (readonly number[])[];
}

const fixtures = join(packageRoot, 'test/fixtures/r2d2-mini');
/** The fixture's heads are narrower than the published models'. */
export const HEADS = { visionHeads: 3, textHeads: 2 };
export async function golden(): Promise<Golden> {
  return JSON.parse(await readFile(join(fixtures, 'golden.json'), 'utf8')) as Golden;
}

export async function pixels(): Promise<{ shape: readonly number[]; data: Float32Array }> {
  return parseNpy(await readFile(join(fixtures, 'pixels.npy')), 'pixels.npy');
}

export async function writeR2d2(folder: string): Promise<string> {
  const file = join(folder, 'r2d2.pth');
  await writeFile(file, gunzipSync(await readFile(join(fixtures, 'checkpoint.pth.gz'))));
  return file;
}
