import { basename, dirname, join } from 'node:path';
import { failure } from '../../core/errors.ts';
import type { Checkpoint } from './checkpoint.ts';
import { openFile } from './file-range.ts';

const MAX_INDEX_BYTES = 64 * 2 ** 20;
const MAX_SHARDS = 1000;

/**
 * Opens a checkpoint that is split over several files by its index, such as `model.safetensors.index.json`: a JSON
 * document whose `weight_map` says in which file of the same folder each tensor is. Rejects with `invalid_checkpoint`.
 */
export async function openSharded(
  indexFile: string,
  openShard: (file: string) => Promise<Checkpoint>,
): Promise<Checkpoint> {
  const shardOf = await readIndex(indexFile);
  const shards = new Map<string, Checkpoint>();
  const close = async (): Promise<void> => {
    for (const shard of shards.values()) await shard.close();
  };
  try {
    for (const file of new Set(shardOf.values())) shards.set(file, await openShard(join(dirname(indexFile), file)));
    const held = new Map([...shards].map(([file, shard]) => [file, new Set(shard.names)]));
    for (const [name, file] of shardOf) {
      if (!held.get(file)?.has(name))
        throw failure('invalid_checkpoint', `${file} lacks ${name}, which is said to be in it.`);
    }
    const [first] = shards.values();
    return {
      format: `${first?.format}, ${shards.size} files`,
      files: [indexFile, ...[...shards.values()].flatMap(({ files }) => files)],
      names: [...shardOf.keys()],
      others: [...shards.values()].flatMap(({ others }) => others),
      tensor(name) {
        const shard = shards.get(shardOf.get(name) ?? '');
        if (shard === undefined) throw failure('invalid_checkpoint', `The checkpoint has no tensor ${name}.`);
        return shard.tensor(name);
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function readIndex(indexFile: string): Promise<Map<string, string>> {
  const entries = Object.entries(await readWeightMap(indexFile));
  const files = new Set(entries.map(([, file]) => file));
  if (files.size === 0 || files.size > MAX_SHARDS) {
    throw failure('invalid_checkpoint', `The index names ${files.size} files; 1 to ${MAX_SHARDS} can be read.`);
  }
  for (const file of files) {
    // Nothing outside the index's own folder is opened.
    if (typeof file !== 'string' || file === '' || file.includes('\\') || file !== basename(file) || file === '..') {
      throw failure('invalid_checkpoint', 'The index names a file that is not beside it.');
    }
  }
  return new Map(entries as [string, string][]);
}

async function readWeightMap(indexFile: string): Promise<object> {
  const file = await openFile(indexFile);
  try {
    if (file.size > MAX_INDEX_BYTES) throw failure('invalid_checkpoint', 'The file is no index of a checkpoint.');
    const { weight_map: map } = JSON.parse((await file.read(0, file.size)).toString('utf8')) as {
      weight_map?: unknown;
    };
    if (typeof map === 'object' && map !== null && !Array.isArray(map)) return map;
  } catch (cause) {
    throw failure('invalid_checkpoint', 'The file looks like JSON, but is no index of a checkpoint.', { cause });
  } finally {
    await file.close();
  }
  throw failure('invalid_checkpoint', 'The file is JSON, but no index of a checkpoint: it has no weight_map.');
}
