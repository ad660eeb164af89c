import { spawnSync } from 'node:child_process';
import type { TestContext } from 'node:test';

export interface FrozenFiles {
  /** From now on nothing below the folder can be written, not even by who has it open already. */
  freeze(): void;
  thaw(): void;
}

/**
 * Makes a folder's files immutable; undefined, and the test skipped, where the system does not let us. LMDB's lock files
 * stay as they are: they are memory that processes share, and a system ends whoever cannot write to such memory.
 */
export function freezable(t: TestContext, folder: string): FrozenFiles | undefined {
  const change = (flag: '+i' | '-i'): boolean =>
    spawnSync('find', [folder, '-not', '-name', '*-lock', '-exec', 'chattr', flag, '{}', '+']).status === 0;
  const isPossible = change('+i');
  change('-i');
  if (!isPossible) {
    t.skip('needs a file system with immutable files, and the right to make some');
    return undefined;
  }
  t.after(() => change('-i'));
  return { freeze: () => void change('+i'), thaw: () => void change('-i') };
}
