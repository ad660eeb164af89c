import { randomUUID } from 'node:crypto';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import type { ImageTokens } from '../../core/types.ts';
import type { InferenceServer } from './inference-server.ts';

/** Where a tensor's bytes lie in memory that the server has mapped. */
export interface SharedPlace {
  readonly region: string;
  readonly offset: number;
}

export interface SharedTokensOptions {
  readonly server: InferenceServer;
  /** Calls that may hold a place at the same time. */
  readonly places: number;
}

/**
 * Hands tokens to a server on this machine through the protocol's system shared memory, which spares sending them
 * through a socket. POSIX shared memory is a file below /dev/shm on Linux, so writing that file is all it takes here.
 */
export interface SharedTokens {
  readonly isUsed: boolean;
  /**
   * Makes a region with places of `placeBytes` and shows it to the server, unless the server still has it. Whatever
   * stands in the way (no such extension, memory that is not the same, no space) means that tokens are sent.
   */
  ensure(placeBytes: number, signal: AbortSignal): Promise<void>;
  /** Writes the images' tokens behind each other; undefined when they have to be sent. */
  put(images: readonly ImageTokens[]): Promise<HeldPlace | undefined>;
  close(): Promise<void>;
}

export interface HeldPlace extends SharedPlace {
  /** To be called when the server answered or nobody waits any more; what it then still reads goes nowhere. */
  release(): void;
}

interface Region {
  readonly name: string;
  readonly file: FileHandle;
  readonly placeBytes: number;
  readonly free: number[];
}

const FOLDER = '/dev/shm';
const EXTENSION = 'system_shared_memory';
const UNREGISTER_TIMEOUT_MS = 500;

export function createSharedTokens({ server, places }: SharedTokensOptions): SharedTokens {
  let region: Region | undefined;

  async function drop(): Promise<void> {
    const dropped = region;
    region = undefined;
    await dropped?.file.close();
  }

  async function make(placeBytes: number, signal: AbortSignal): Promise<Region> {
    const name = `coverrank-${randomUUID()}`;
    const path = `${FOLDER}/${name}`;
    const file = await open(path, 'wx+', 0o600);
    try {
      await file.truncate(places * placeBytes);
      await server.registerRegion(name, places * placeBytes, signal);
    } catch (error) {
      await file.close();
      throw error;
    } finally {
      // Both sides have it open now; without a name it goes when they do, even when this process is killed.
      await unlink(path);
    }
    return { name, file, placeBytes, free: Array.from({ length: places }, (_, place) => place) };
  }

  return {
    get isUsed() {
      return region !== undefined;
    },
    async ensure(placeBytes, signal) {
      try {
        if (!(await server.extensions(signal)).includes(EXTENSION)) return await drop();
        if (region?.placeBytes === placeBytes && (await server.hasRegion(region.name, signal))) return;
        // Of a region that is too small now the server would hold on to the memory.
        if (region !== undefined) await server.unregisterRegion(region.name, signal);
        await drop();
        region = await make(placeBytes, signal);
      } catch {
        await drop();
      }
    },
    async put(images) {
      const held = region;
      const bytes = images.reduce((sum, { values }) => sum + values.byteLength, 0);
      const place = bytes > (held?.placeBytes ?? 0) ? undefined : held?.free.pop();
      if (held === undefined || place === undefined) return undefined;
      const offset = place * held.placeBytes;
      const release = (): void => void held.free.push(place);
      const buffers = images.map(({ values }) => values);
      const written = await held.file.writev(buffers, offset).then(
        ({ bytesWritten }) => bytesWritten,
        () => 0,
      );
      if (written === bytes) return { region: held.name, offset, release };
      release();
      return undefined;
    },
    async close() {
      const name = region?.name;
      if (name !== undefined) {
        await server.unregisterRegion(name, AbortSignal.timeout(UNREGISTER_TIMEOUT_MS)).catch(() => {});
      }
      await drop();
    },
  };
}

/** Whether both sides can see the same /dev/shm; the server has the last word. */
export function mayShareMemory(origin: string): boolean {
  const { hostname } = new URL(origin);
  return process.platform === 'linux' && ['localhost', '127.0.0.1', '[::1]'].includes(hostname);
}
