import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

export interface SmallDisk {
  readonly folder: string;
  /** Leaves no room, or a little. */
  fill(roomBytes?: number): void;
  /** Makes room again. */
  clear(): void;
  makeReadOnly(): void;
  unmount(): void;
}

/** A disk of its own; undefined, and the test skipped, where the system does not let us have one. */
export function mountSmallDisk(t: TestContext, bytes: number): SmallDisk | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'coverrank-disk-'));
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', folder]).status !== 0) {
    rmdirSync(folder);
    t.skip('needs the right to mount a small tmpfs');
    return undefined;
  }
  const filler = join(folder, 'filler');
  return {
    folder,
    fill(roomBytes = 0) {
      const { bavail, bsize } = statfsSync(folder);
      writeFileSync(filler, Buffer.alloc(Math.max(0, bavail * bsize - roomBytes)));
    },
    clear: () => rmSync(filler),
    makeReadOnly: () => void spawnSync('mount', ['-o', 'remount,ro', folder]),
    unmount() {
      spawnSync('umount', ['-l', folder]);
      rmdirSync(folder);
    },
  };
}
