import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cpuFlags } from '../../src/core/cpu-flags.ts';
import { packageRoot } from '../../src/core/package-root.ts';
import { describeMachine } from '../machine.ts';
import type { BenchMachine } from './report.ts';

/** As Linux spells them. */
const INSTRUCTION_SETS = ['avx2', 'avx512f', 'avx512_vnni', 'avx_vnni', 'avx512_bf16', 'amx_int8', 'amx_bf16'];
/** Of a quiet machine, by core: the bench itself has not begun. */
const QUIET_LOAD = 0.1;

export async function describeBenchMachine(): Promise<BenchMachine> {
  return {
    ...describeMachine(),
    instructionSets: INSTRUCTION_SETS.filter((name) => cpuFlags()?.has(name)),
    onnxruntime: await onnxruntimeVersion(),
  };
}

/** Why figures of now may not be worth much. */
export function machineWarnings({ loadBefore, cores }: BenchMachine): string[] {
  if (loadBefore / cores <= QUIET_LOAD) return [];
  return [`the machine was not quiet: its load average was ${loadBefore} on ${cores} cores before the run`];
}

async function onnxruntimeVersion(): Promise<string> {
  const file = join(packageRoot, 'node_modules', 'onnxruntime-node', 'package.json');
  return (JSON.parse(await readFile(file, 'utf8')) as { version: string }).version;
}
