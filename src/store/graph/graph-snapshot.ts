import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { failure } from '../../core/errors.ts';
import { sync, writeDurably } from '../disk/durable-file.ts';
import { reached } from '../disk/durable-steps.ts';
import { checksumOf, digest, sumsOf } from '../disk/file-sums.ts';
import { GRAPH_PARAMETERS, type ReadVectors, readVectorIndex, type VectorIndex } from '../vector-index.ts';

/**
 * The graph on disk: a file as hnswlib writes it and `manifest.json`, which names it. The manifest is replaced last, so
 * that at any moment it names a whole file or is the older one.
 */
const GRAPH_FORMAT = 1;

export interface GraphManifest {
  readonly format: number;
  /** File beside the manifest; null for an empty graph. */
  readonly file: string | null;
  readonly bytes: number;
  readonly sha256: string;
  /** Checked at a start: a file that changed by itself is told as surely, and in a fraction of the time. Older ones lack it. */
  readonly crc32?: number;
  readonly storeId: string;
  readonly bundleHash: string;
  readonly embeddingDim: number;
  readonly parameters: typeof GRAPH_PARAMETERS;
  /** The last write that the graph holds. */
  readonly sequence: number;
  /** Vectors in the file and, of them, tombstones. */
  readonly elements: number;
  readonly deleted: number;
  readonly createdAt: string;
}

/** What a graph has to belong to. */
export type GraphOwner = Pick<GraphManifest, 'storeId' | 'bundleHash' | 'embeddingDim'>;

const MANIFEST = 'manifest.json';

/** Writes the graph so that a crash at any moment leaves the old snapshot or the new one. Fails with `storage_full`. */
export async function saveGraph(
  folder: string,
  graph: VectorIndex,
  owner: GraphOwner,
  sequence: number,
): Promise<GraphManifest> {
  await mkdir(folder, { recursive: true });
  const file = graph.elements === 0 ? null : `graph-${sequence}-${randomBytes(4).toString('hex')}.bin`;
  const temporary = join(folder, `${file}.tmp`);
  try {
    if (file !== null) {
      await demandRoom(folder, graph.elements * bytesPerElement(owner.embeddingDim));
      await graph.write(temporary);
      await sync(temporary);
      reached('graph written');
    }
    const manifest: GraphManifest = {
      format: GRAPH_FORMAT,
      file,
      ...(file === null ? { bytes: 0, sha256: '' } : await sumsOf(temporary)),
      ...owner,
      parameters: GRAPH_PARAMETERS,
      sequence,
      elements: graph.elements,
      deleted: graph.deleted,
      createdAt: new Date().toISOString(),
    };
    if (file !== null) await rename(temporary, join(folder, file));
    reached('graph renamed');
    await writeDurably(join(folder, MANIFEST), JSON.stringify(manifest, null, 2));
    reached('graph replaced');
    await removeOthers(folder, [MANIFEST, ...(file === null ? [] : [file])]);
    return manifest;
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** The manifest as it lies there, unchecked; undefined when there is none that can be read. */
export async function readGraphManifest(folder: string): Promise<GraphManifest | undefined> {
  try {
    return JSON.parse(await readFile(join(folder, MANIFEST), 'utf8')) as GraphManifest;
  } catch {
    return undefined;
  }
}

/** Why the snapshot cannot be used for `owner`, checking every byte of it; undefined when it can. */
export async function graphDefect(
  folder: string,
  manifest: GraphManifest | undefined,
  owner: GraphOwner,
): Promise<string | undefined> {
  if (manifest === undefined)
    return existsSync(join(folder, MANIFEST)) ? 'its manifest cannot be read' : 'there is none';
  if (manifest.format !== GRAPH_FORMAT) return `its format is ${manifest.format}`;
  if (manifest.storeId !== owner.storeId) return 'it belongs to another store';
  if (manifest.bundleHash !== owner.bundleHash) return 'it belongs to another bundle';
  if (manifest.embeddingDim !== owner.embeddingDim) return 'its vectors have another length';
  if (JSON.stringify(manifest.parameters) !== JSON.stringify(GRAPH_PARAMETERS))
    return 'it was built with other parameters';
  if (manifest.file === null) return undefined;
  // The name comes from a file that anything may have happened to; it must not lead out of the folder.
  if (!/^graph-\d+-[0-9a-f]+\.bin$/.test(manifest.file)) return 'its manifest is damaged';
  const path = join(folder, manifest.file);
  if (!existsSync(path)) return 'its file is missing';
  return (await matches(path, manifest)) ? undefined : 'its checksum does not match';
}

async function matches(path: string, manifest: GraphManifest): Promise<boolean> {
  if ((await stat(path)).size !== manifest.bytes) return false;
  if (manifest.crc32 === undefined) return (await digest(path)).sha256 === manifest.sha256;
  return (await checksumOf(path)).crc32 === manifest.crc32;
}

/** Reads a snapshot in which `graphDefect` found nothing, as `readVectorIndex` does; undefined for an empty one. */
export async function loadGraph(folder: string, manifest: GraphManifest): Promise<ReadVectors | undefined> {
  return manifest.file === null ? undefined : readVectorIndex(join(folder, manifest.file), manifest.embeddingDim);
}

/** Level-0 links, the vector and the label, and a share for the upper levels. */
function bytesPerElement(dim: number): number {
  return 4 * dim + 4 * (2 * GRAPH_PARAMETERS.m + 1) + 8 + 16;
}

/** hnswlib does not notice that the disk is full: it would leave a file cut short. */
async function demandRoom(folder: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize < bytes) throw failure('storage_full', 'The disk has no room for the graph.');
}

async function removeOthers(folder: string, keep: readonly string[]): Promise<void> {
  for (const name of await readdir(folder)) if (!keep.includes(name)) await rm(join(folder, name), { force: true });
}
