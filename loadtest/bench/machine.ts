import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { packageRoot } from '../../src/core/package-root.ts';
import { describeMachine } from '../machine.ts';
import type { BenchMachine } from './report.ts';

/** As Linux spells them. */
const INSTRUCTION_SETS = ['avx2', 'avx512f', 'avx512_vnni', 'avx_vnni', 'avx512_bf16', 'amx_int8', 'amx_bf16'];
/** Of a quiet machine, by core: the bench itself has not begun. */
const QUIET_LOAD = 0.1;

export async function describeBenchMachine(): Promise<BenchMachine> {
  return { ...describeMachine(), instructionSets: await instructionSets(), onnxruntime: await onnxruntimeVersion() };
}

/** Why figures of now may not be worth much. */
export function machineWarnings({ loadBefore, cores }: BenchMachine): string[] {
  if (loadBefore / cores <= QUIET_LOAD) return [];
  return [`the machine was not quiet: its load average was ${loadBefore} on ${cores} cores before the run`];
}

/** Empty where the system does not tell. */
async function instructionSets(): Promise<string[]> {
  const cpuinfo = await readFile('/proc/cpuinfo', 'utf8').catch(() => '');
  const flags = new Set(/^flags\s*:(.*)$/m.exec(cpuinfo)?.[1]?.split(/\s+/) ?? []);
  return INSTRUCTION_SETS.filter((name) => flags.has(name));
}

async function onnxruntimeVersion(): Promise<string> {
  const file = join(packageRoot, 'node_modules', 'onnxruntime-node', 'package.json');
  return (JSON.parse(await readFile(file, 'utf8')) as { version: string }).version;
}
