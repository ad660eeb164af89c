import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ServiceClient } from './client.ts';

/** A line of the sample covers' manifest. */
interface ManifestLine {
  readonly id: string;
  readonly file: string;
  readonly title?: string;
  readonly attributes?: Readonly<Record<string, unknown>>;
}

/** An item of `POST /index`. */
export interface CoverItem {
  readonly id: string;
  readonly image_base64: string;
  readonly title?: string;
  readonly attributes?: Readonly<Record<string, unknown>>;
  readonly if_changed?: boolean;
}

const BATCH = 32;

export async function readSampleCovers(folder: string): Promise<CoverItem[]> {
  const manifest = await readFile(join(folder, 'manifest.ndjson'), 'utf8');
  const lines = manifest.split('\n').filter((line) => line.trim() !== '');
  return Promise.all(
    lines.map(async (line) => {
      const { id, file, title, attributes } = JSON.parse(line) as ManifestLine;
      const image = await readFile(join(folder, file), 'base64');
      return {
        id,
        image_base64: image,
        ...(title === undefined ? {} : { title }),
        ...(attributes === undefined ? {} : { attributes }),
      };
    }),
  );
}

/** Indexes all of them and waits until they are searchable; fails when one is refused. */
export async function indexCovers(client: ServiceClient, covers: readonly CoverItem[]): Promise<void> {
  for (let start = 0; start < covers.length; start += BATCH) {
    await postItems(client, covers.slice(start, start + BATCH));
  }
}

export async function deleteCovers(client: ServiceClient, ids: readonly string[]): Promise<void> {
  for (let start = 0; start < ids.length; start += BATCH) {
    await postItems(
      client,
      ids.slice(start, start + BATCH).map((id) => ({ id, delete: true })),
    );
  }
}

async function postItems(client: ServiceClient, items: readonly object[]): Promise<void> {
  const { status, body } = await client.post('/index', JSON.stringify({ items }));
  const answer = status === 200 ? (JSON.parse(body) as { errors: boolean }) : undefined;
  if (answer === undefined || answer.errors) throw new Error(`/index answered ${status}: ${body.slice(0, 500)}`);
}
