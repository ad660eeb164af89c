import { type FileHandle, open } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import yauzl, { type Entry, type ZipFile } from 'yauzl';
import { failure } from '../../core/errors.ts';
import { readRange } from './file-range.ts';

/** Random access to the stored (uncompressed) entries of a zip archive; only what is asked for is read. */
export interface ZipArchive {
  readonly names: readonly string[];
  has(name: string): boolean;
  /** Size of the entry's content in bytes. */
  size(name: string): number;
  /** `length` bytes from `start` of the entry's content; all of it by default, and then its checksum is verified. */
  read(name: string, start?: number, length?: number): Promise<Buffer>;
  close(): Promise<void>;
}

/** Far above any model with its optimizer; an archive with more is made to exhaust memory. */
const MAX_ENTRIES = 200_000;

const STORED = 0;

/** Opens an archive. Rejects with `invalid_checkpoint` when it is damaged, has compressed or repeated entries. */
export async function openZipArchive(file: string): Promise<ZipArchive> {
  const zip = await yauzl.openPromise(file, { lazyEntries: true, autoClose: false }).catch((error: Error) => {
    throw unreadable(error);
  });
  let handle: FileHandle | undefined;
  try {
    const entries = await readEntries(zip);
    handle = await open(file, 'r');
    return createArchive(zip, handle, entries);
  } catch (error) {
    zip.close();
    await handle?.close();
    throw error;
  }
}

function createArchive(zip: ZipFile, handle: FileHandle, entries: ReadonlyMap<string, Entry>): ZipArchive {
  const entryOf = (name: string): Entry => {
    const entry = entries.get(name);
    if (entry === undefined) throw failure('invalid_checkpoint', `The archive has no entry ${name}.`);
    return entry;
  };

  return {
    names: [...entries.keys()],
    has: (name) => entries.has(name),
    size: (name) => entryOf(name).uncompressedSize,
    async read(name, start = 0, length = entryOf(name).uncompressedSize - start) {
      const entry = entryOf(name);
      if (start < 0 || length < 0 || start + length > entry.uncompressedSize) {
        throw failure('invalid_checkpoint', `The archive's entry ${name} is shorter than what is stored in it.`);
      }
      const bytes = await readEntryRange(zip, handle, entry, start, length);
      if (length === entry.uncompressedSize && crc32(bytes) !== entry.crc32) {
        throw failure('invalid_checkpoint', `The archive's entry ${name} is damaged: its checksum does not fit.`);
      }
      return bytes;
    },
    async close() {
      zip.close();
      await handle.close();
    },
  };
}

async function readEntries(zip: ZipFile): Promise<Map<string, Entry>> {
  if (zip.entryCount > MAX_ENTRIES) {
    throw failure('invalid_checkpoint', `The archive has ${zip.entryCount} entries; at most ${MAX_ENTRIES} are read.`);
  }
  const entries = new Map<string, Entry>();
  try {
    for await (const entry of zip.eachEntry()) {
      if (entries.has(entry.fileName)) {
        throw failure('invalid_checkpoint', `The archive has two entries named ${entry.fileName}.`);
      }
      assertStored(entry);
      entries.set(entry.fileName, entry);
    }
  } catch (error) {
    throw unreadable(error);
  }
  return entries;
}

/**
 * torch.save never compresses. Refusing what is compressed keeps tensors readable by offset and leaves no way to make a
 * small file grow in memory.
 */
function assertStored(entry: Entry): void {
  if (entry.compressionMethod !== STORED || entry.isEncrypted()) {
    throw failure(
      'invalid_checkpoint',
      `The archive's entry ${entry.fileName} is compressed or encrypted; torch.save stores entries as they are.`,
    );
  }
}

async function readEntryRange(
  zip: ZipFile,
  handle: FileHandle,
  entry: Entry,
  start: number,
  length: number,
): Promise<Buffer> {
  const { fileDataStart } = await zip.readLocalFileHeaderPromise(entry, { minimal: true }).catch((error: Error) => {
    throw unreadable(error);
  });
  if (fileDataStart + start + length > zip.fileSize) {
    throw failure('invalid_checkpoint', `The archive ends inside its entry ${entry.fileName}: it is truncated.`);
  }
  return readRange(handle, fileDataStart + start, length);
}

function unreadable(error: unknown): Error {
  if (error instanceof Error && error.name === 'CoverrankError') return error;
  const reason = error instanceof Error ? error.message : String(error);
  return failure('invalid_checkpoint', `The file is no complete zip archive (${reason}); it may be truncated.`, {
    cause: error,
  });
}
