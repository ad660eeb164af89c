import { ServiceError } from './service-error.ts';

/** Arguments that one call takes in every browser. */
const CHUNK_BYTES = 32_768;

/**
 * A file's bytes in standard base64, as the service takes pictures. Rejects with a ServiceError where the file cannot be
 * read: it may have been moved or changed since it was chosen.
 */
export async function readBase64(file: Blob): Promise<string> {
  const bytes = new Uint8Array(await bytesOf(file));
  let binary = '';
  for (let start = 0; start < bytes.length; start += CHUNK_BYTES) {
    binary += String.fromCharCode(...bytes.subarray(start, start + CHUNK_BYTES));
  }
  return btoa(binary);
}

async function bytesOf(file: Blob): Promise<ArrayBuffer> {
  try {
    return await file.arrayBuffer();
  } catch {
    throw new ServiceError({ code: 'unreadable_file', detail: '' }, { hadKey: false });
  }
}
