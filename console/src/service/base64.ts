import { readFile } from './read-file.ts';

/** Arguments that one call takes in every browser. */
const CHUNK_BYTES = 32_768;

/** A file's bytes in standard base64, as the service takes pictures. A ServiceError where it cannot be read. */
export async function readBase64(file: Blob): Promise<string> {
  const bytes = new Uint8Array(await readFile(file.arrayBuffer()));
  let binary = '';
  for (let start = 0; start < bytes.length; start += CHUNK_BYTES) {
    binary += String.fromCharCode(...bytes.subarray(start, start + CHUNK_BYTES));
  }
  return btoa(binary);
}
