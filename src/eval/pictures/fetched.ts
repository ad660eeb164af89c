import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { failure } from '../../core/errors.ts';
import type { ImageFetcher } from '../../core/ports.ts';
import type { PictureSource } from './picture-source.ts';

export interface FetchedPicturesDeps {
  readonly fetcher: ImageFetcher;
  /** Address by cover. */
  readonly addresses: ReadonlyMap<string, string>;
  /** Folder in which fetched pictures stay, so that a run that was cut short goes on where it ended; none keeps nothing. */
  readonly keepIn: string | undefined;
}

const NEVER = new AbortController().signal;

/** Pictures behind addresses. Those that could not be fetched are tried again by the next run. */
export async function openFetchedPictures({ fetcher, addresses, keepIn }: FetchedPicturesDeps): Promise<PictureSource> {
  if (keepIn !== undefined) await mkdir(keepIn, { recursive: true });

  async function fetchAndKeep(address: string, file: string): Promise<Uint8Array> {
    const bytes = await fetcher.fetch(address, NEVER);
    // Under another name first: a picture that is cut off in the middle must not pass for a whole one.
    const unfinished = `${file}.${process.pid}.part`;
    await writeFile(unfinished, bytes);
    await rename(unfinished, file);
    return bytes;
  }

  return {
    name: 'addresses of the judgements',
    covers: undefined,
    async read(cover) {
      const address = addresses.get(cover);
      if (address === undefined) throw failure('not_found', 'The judgements give no address for this cover.');
      if (keepIn === undefined) return fetcher.fetch(address, NEVER);
      const file = join(keepIn, createHash('sha256').update(address).digest('hex'));
      try {
        return await readFile(file);
      } catch {
        return await fetchAndKeep(address, file);
      }
    },
  };
}
