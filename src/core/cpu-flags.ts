import { readFileSync } from 'node:fs';

/** What the processor can do, as Linux spells it (`avx2`, `asimddp`); undefined where the system does not tell. */
export function cpuFlags(): ReadonlySet<string> | undefined {
  try {
    const line = /^(?:flags|Features)\s*:\s*(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'));
    return line?.[1] === undefined ? undefined : new Set(line[1].split(/\s+/));
  } catch {
    return undefined;
  }
}
