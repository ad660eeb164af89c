import { readFileSync } from 'node:fs';

const INT8_INSTRUCTIONS = ['avx512_vnni', 'avx_vnni', 'amx_int8', 'asimddp'];

let known: ReadonlySet<string> | undefined;

/** What the processor can do, as Linux spells it (`avx2`, `asimddp`); undefined where the system does not tell. */
export function cpuFlags(): ReadonlySet<string> | undefined {
  known ??= readFlags();
  return known;
}

/** Those of its instructions that multiply and add int8; undefined where the system does not tell. */
export function int8Instructions(): readonly string[] | undefined {
  const flags = cpuFlags();
  return flags === undefined ? undefined : INT8_INSTRUCTIONS.filter((flag) => flags.has(flag));
}

/** The file has a section a core, which makes it long on large machines. */
function readFlags(): ReadonlySet<string> | undefined {
  try {
    const line = /^(?:flags|Features)\s*:\s*(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'));
    return line?.[1] === undefined ? undefined : new Set(line[1].split(/\s+/));
  } catch {
    return undefined;
  }
}
