import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { openCheckpoint } from '../../../src/convert/checkpoint/open-checkpoint.ts';
import { unpickle } from '../../../src/convert/checkpoint/unpickler.ts';
import { inspectCheckpoint } from '../../../src/convert/inspect.ts';
import { isFailure } from '../../../src/core/errors.ts';
import { safeFloats, safetensors } from '../../convert/safetensors-file.ts';
import { floatTensor, type StoredTensor, torchEntries, torchLegacy, torchZip, zip } from '../../convert/torch-file.ts';
import { mutant, seededRandom } from './mutations.ts';

/** Mutants of each container; `COVERRANK_FUZZ_MUTANTS` and `COVERRANK_FUZZ_SEED` choose others. */
const MUTANTS = Number(process.env['COVERRANK_FUZZ_MUTANTS'] ?? 10_000);
const SEED = Number(process.env['COVERRANK_FUZZ_SEED'] ?? 20_261_121);
/** All mutants are a few kilobytes; what reading them takes has to stay of that order, whatever they claim to hold. */
const MAX_GROWTH_BYTES = 256 * 2 ** 20;

const tensors: Readonly<Record<string, StoredTensor>> = {
  'visual.conv1.weight': floatTensor([4, 3, 2, 2], new Float32Array(48).fill(0.5)),
  'bert.embeddings.word_embeddings.weight': { ...floatTensor([4, 6], new Float32Array(24)), strides: [1, 4] },
  text_projection: { ...floatTensor([2, 3], [1, 2, 3, 4, 5, 6]), key: 'shared' },
  row: { ...floatTensor([3], [1, 2, 3, 4, 5, 6]), elements: 6, offset: 3, key: 'shared' },
};
const safe = safetensors({
  'visual.conv1.weight': safeFloats([4, 3, 2, 2], new Float32Array(48)),
  text_projection: safeFloats([2, 3], [1, 2, 3, 4, 5, 6]),
});
const index = Buffer.from(
  JSON.stringify({ metadata: { total_size: 216 }, weight_map: { text_projection: 'shard.bin', row: 'shard.bin' } }),
);

const [pickleEntry, ...otherEntries] = torchEntries(tensors);
const pickled = Buffer.from(pickleEntry?.bytes ?? []);

interface Container {
  readonly name: string;
  readonly original: Buffer;
  /** Bytes at the beginning that hold the structure. */
  readonly head: number;
  /** The file that a mutant becomes; it is the file itself when this is left out. */
  readonly wrap?: (bytes: Buffer) => Buffer;
}

const containers: readonly Container[] = [
  { name: 'torch zip', original: torchZip(tensors), head: 1500 },
  {
    name: "torch zip's pickle, with a checksum that fits",
    original: pickled,
    head: pickled.length,
    wrap: (bytes) => zip([{ name: 'archive/data.pkl', bytes }, ...otherEntries]),
  },
  { name: 'legacy torch stream', original: torchLegacy(tensors), head: 1200 },
  { name: 'safetensors', original: safe, head: 220 },
  { name: 'index of parts', original: index, head: index.length },
];

/** Opens it and reads everything. Anything but success or `invalid_checkpoint` fails, naming how to make it again. */
async function survives(file: string, which: string): Promise<boolean> {
  try {
    const checkpoint = await openCheckpoint(file);
    try {
      for (const name of checkpoint.names) await checkpoint.tensor(name).read();
    } finally {
      await checkpoint.close();
    }
    await inspectCheckpoint(file);
    return true;
  } catch (error) {
    if (isFailure(error, 'invalid_checkpoint')) return false;
    throw new Error(`${which} with seed ${SEED} is not refused as it should be`, { cause: error });
  }
}

async function openFiles(): Promise<number | undefined> {
  return (await readdir('/proc/self/fd').catch(() => undefined))?.length;
}

async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'coverrank-fuzz-'));
  t.after(() => rm(folder, { recursive: true }));
  return folder;
}

for (const { name, original, head, wrap = (bytes: Buffer) => bytes } of containers) {
  test(`${MUTANTS} mutants of a ${name} are read or refused`, async (t) => {
    const folder = await temporaryFolder(t);
    await writeFile(join(folder, 'shard.bin'), torchZip(tensors));
    const file = join(folder, 'mutant');
    await writeFile(file, wrap(original));
    assert.ok(await survives(file, name), 'the original must be whole');
    const random = seededRandom(SEED);
    const [filesBefore, residentBefore] = [await openFiles(), process.memoryUsage.rss()];
    let read = 0;
    for (let number = 0; number < MUTANTS; number++) {
      await writeFile(file, wrap(mutant(original, head, random)));
      if (await survives(file, `${name}, mutant ${number}`)) read += 1;
    }
    t.diagnostic(`${read} read, ${MUTANTS - read} refused`);
    assert.ok(read > 0 && read < MUTANTS, 'mutants must be neither all whole nor all broken');
    assert.equal(await openFiles(), filesBefore);
    const growth = process.memoryUsage.rss() - residentBefore;
    assert.ok(growth < MAX_GROWTH_BYTES, `memory grew by ${growth} bytes`);
  });
}

test(`${10 * MUTANTS} mutants of a pickle are read or refused`, () => {
  const random = seededRandom(SEED);
  for (let number = 0; number < 10 * MUTANTS; number++) {
    try {
      unpickle(mutant(pickled, pickled.length, random));
    } catch (error) {
      if (isFailure(error, 'invalid_checkpoint')) continue;
      throw new Error(`pickle mutant ${number} with seed ${SEED} is not refused as it should be`, { cause: error });
    }
  }
});
