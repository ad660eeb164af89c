import { endianness } from 'node:os';
import { failure, isFailure } from '../../core/errors.ts';
import type { Checkpoint } from './checkpoint.ts';
import { openFile, type RandomAccessFile } from './file-range.ts';
import { findStateDict } from './state-dict.ts';
import { storedTensor } from './stored-tensor.ts';
import { ELEMENT_BYTES } from './stored-types.ts';
import type { StorageReference } from './tensor-reference.ts';
import { unpickleNext } from './unpickler.ts';

/** First bytes of `torch.save` before version 1.6: the long 0x1950a86a20f9469cfc6c as a protocol 2 pickle. */
export const LEGACY_TORCH_MAGIC = Buffer.from('80028a0a6cfc9c46f9206aa85019', 'hex');

const PROTOCOL = 1001;
/** Pickles are read with as much of the file as they turn out to need, up to the last of these. */
const HEAD_BYTES = [2 ** 20, 2 ** 23, 2 ** 26] as const;
const COUNT_BYTES = 8;

interface Head {
  readonly bigEndian: boolean;
  readonly root: unknown;
  /** Storages by key, as the pickle refers to them. */
  readonly storages: ReadonlyMap<string, StorageReference>;
  /** Order in which the storages follow. */
  readonly keys: readonly string[];
  readonly end: number;
}

/**
 * Opens the stream that torch.save wrote before 1.6: five pickles (a magic number, the protocol, the machine, the saved
 * object, the storages' keys), then every storage as a count (i64) and its elements. Rejects with `invalid_checkpoint`.
 */
export async function openTorchLegacy(path: string): Promise<Checkpoint> {
  const file = await openFile(path);
  try {
    const head = await readHead(file);
    const { tensors, others } = findStateDict(head.root);
    const positions = await locateStorages(file, head);
    const source = {
      swapped: head.bigEndian !== (endianness() === 'BE'),
      read: (storage: StorageReference, start: number, length: number) =>
        file.read((positions.get(storage.key) ?? Number.NaN) + start, length),
    };
    return {
      format: 'torch legacy stream',
      files: [path],
      names: [...tensors.keys()],
      others,
      tensor(name) {
        const reference = tensors.get(name);
        if (reference === undefined) throw failure('invalid_checkpoint', `The checkpoint has no tensor ${name}.`);
        return storedTensor(source, name, reference);
      },
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** Where the pickles end is known when they were read; a larger part of the file is only read when they need it. */
async function readHead(file: RandomAccessFile): Promise<Head> {
  for (const bytes of HEAD_BYTES) {
    try {
      return parseHead(await file.read(0, Math.min(bytes, file.size)));
    } catch (error) {
      if (!isFailure(error, 'invalid_checkpoint') || bytes >= file.size || bytes === HEAD_BYTES.at(-1)) throw error;
    }
  }
  throw failure('internal', 'No part of the file was read.');
}

function parseHead(bytes: Buffer): Head {
  let position = 0;
  const next = () => {
    const read = unpickleNext(bytes, position);
    position = read.end;
    return read;
  };
  next();
  if (next().value !== PROTOCOL) {
    throw failure('invalid_checkpoint', `The legacy torch stream is not of protocol ${PROTOCOL}.`);
  }
  const machine = next().value;
  const { value: root, storages } = next();
  const keys = next().value;
  if (!(machine instanceof Map) || typeof machine.get('little_endian') !== 'boolean') {
    throw failure('invalid_checkpoint', 'The legacy torch stream does not tell its byte order.');
  }
  if (!Array.isArray(keys) || !keys.every((key) => typeof key === 'string')) {
    throw failure('invalid_checkpoint', 'The legacy torch stream has no list of its storages.');
  }
  return { bigEndian: machine.get('little_endian') === false, root, storages, keys, end: position };
}

/** Byte of the file at which each storage's elements begin. */
async function locateStorages(file: RandomAccessFile, head: Head): Promise<ReadonlyMap<string, number>> {
  const positions = new Map<string, number>();
  let position = head.end;
  for (const key of head.keys) {
    const storage = head.storages.get(key);
    if (storage === undefined || positions.has(key)) {
      throw failure(
        'invalid_checkpoint',
        `The legacy torch stream lists a storage ${key} that is unknown or repeated.`,
      );
    }
    const count = await file.read(position, COUNT_BYTES);
    const elements = head.bigEndian ? count.readBigInt64BE() : count.readBigInt64LE();
    if (elements !== BigInt(storage.elements)) {
      throw failure(
        'invalid_checkpoint',
        `Storage ${key} holds ${elements} elements, but its tensors were saved with ${storage.elements}.`,
      );
    }
    positions.set(key, position + COUNT_BYTES);
    position += COUNT_BYTES + storage.elements * ELEMENT_BYTES[storage.type];
    if (position > file.size) throw failure('invalid_checkpoint', 'The checkpoint is truncated inside its values.');
  }
  const missing = [...head.storages.keys()].find((key) => !positions.has(key));
  if (missing !== undefined) throw failure('invalid_checkpoint', `The legacy torch stream lacks storage ${missing}.`);
  return positions;
}
