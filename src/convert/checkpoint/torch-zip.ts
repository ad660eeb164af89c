import { endianness } from 'node:os';
import { failure } from '../../core/errors.ts';
import type { Checkpoint } from './checkpoint.ts';
import { findStateDict } from './state-dict.ts';
import { type StorageSource, storedTensor } from './stored-tensor.ts';
import { ELEMENT_BYTES } from './stored-types.ts';
import type { StorageReference } from './tensor-reference.ts';
import { unpickle } from './unpickler.ts';
import { openZipArchive, type ZipArchive } from './zip-archive.ts';

/** The pickle holds names and shapes only; a model with a million tensors would not fill this. */
const MAX_PICKLE_BYTES = 64 * 2 ** 20;

/**
 * Opens the zip container that torch.save writes since 1.6: `<root>/data.pkl` with everything but the numbers, and
 * `<root>/data/<key>` with one storage each. Rejects with `invalid_checkpoint`.
 */
export async function openTorchZip(file: string): Promise<Checkpoint> {
  const archive = await openZipArchive(file);
  try {
    const root = findRoot(archive);
    const pickled = await readPickle(archive, `${root}data.pkl`);
    const { tensors, others } = findStateDict(unpickle(pickled));
    const swapped = await isSwapped(archive, root);
    for (const [name, { storage }] of tensors) assertStored(archive, entryOf(root, storage), name, storage);
    const storages: StorageSource = {
      swapped,
      read: (storage, start, length) => archive.read(entryOf(root, storage), start, length),
    };
    return {
      format: 'torch zip',
      files: [file],
      names: [...tensors.keys()],
      others,
      tensor(name) {
        const reference = tensors.get(name);
        if (reference === undefined) throw failure('invalid_checkpoint', `The checkpoint has no tensor ${name}.`);
        return storedTensor(storages, name, reference);
      },
      close: () => archive.close(),
    };
  } catch (error) {
    await archive.close();
    throw error;
  }
}

function findRoot(archive: ZipArchive): string {
  const pickles = archive.names.filter((name) => /^([^/]+\/)?data\.pkl$/.test(name));
  const [pickle] = pickles;
  if (pickle === undefined || pickles.length > 1) {
    throw failure('invalid_checkpoint', 'The file is a zip archive, but no PyTorch checkpoint: it has no data.pkl.');
  }
  const root = pickle.slice(0, -'data.pkl'.length);
  if (archive.has(`${root}constants.pkl`)) {
    throw failure(
      'invalid_checkpoint',
      'This is a TorchScript archive (torch.jit.save), which holds a program. Give the checkpoint with its state dict.',
    );
  }
  return root;
}

async function readPickle(archive: ZipArchive, name: string): Promise<Buffer> {
  if (archive.size(name) > MAX_PICKLE_BYTES) {
    throw failure('invalid_checkpoint', `The checkpoint's pickle is larger than ${MAX_PICKLE_BYTES} bytes.`);
  }
  return archive.read(name);
}

async function isSwapped(archive: ZipArchive, root: string): Promise<boolean> {
  const name = `${root}byteorder`;
  if (!archive.has(name)) return endianness() !== 'LE';
  const order = archive.size(name) > 16 ? '' : (await archive.read(name)).toString('latin1').trim();
  if (order !== 'little' && order !== 'big') {
    throw failure('invalid_checkpoint', 'The checkpoint names a byte order that is neither little nor big.');
  }
  return order !== (endianness() === 'LE' ? 'little' : 'big');
}

function entryOf(root: string, { key }: StorageReference): string {
  return `${root}data/${key}`;
}

function assertStored(archive: ZipArchive, entry: string, name: string, storage: StorageReference): void {
  if (!archive.has(entry)) {
    throw failure('invalid_checkpoint', `The values of ${name} are missing: the archive has no entry ${entry}.`);
  }
  if (archive.size(entry) < storage.elements * ELEMENT_BYTES[storage.type]) {
    throw failure(
      'invalid_checkpoint',
      `The values of ${name} are cut off: the archive's entry ${entry} is too short.`,
    );
  }
}
