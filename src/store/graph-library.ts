import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type * as Hnswlib from 'hnswlib-node';
import { cpuFlags } from '../core/cpu-flags.ts';

/**
 * hnswlib-node, the one home of it. scripts/native.mjs builds it once for any processor and once for each level of
 * x86-64 below, whose wider instructions make a search 1.2 (AVX2) to 1.6 times (AVX-512) as fast; what this processor can
 * run is found when it is loaded, so that an installation may move to another machine.
 */
export type GraphLibrary = typeof Hnswlib;

/** As compilers name it: `x86-64-v4` for one, `portable` for any processor. */
export type GraphBuild = (typeof LEVELS)[number]['build'] | typeof PORTABLE;

const PORTABLE = 'portable';
/** The widest first, with the flags that Linux has for what a level adds; `abm` is its name for lzcnt. */
const LEVELS = [
  { build: 'x86-64-v4', flags: ['avx512f', 'avx512bw', 'avx512cd', 'avx512dq', 'avx512vl'] },
  { build: 'x86-64-v3', flags: ['avx', 'avx2', 'bmi1', 'bmi2', 'f16c', 'fma', 'abm', 'movbe'] },
] as const;

const require = createRequire(import.meta.url);

/** What there is that this processor can run, the fastest first. The portable build is always there. */
export function graphBuilds(flags: ReadonlySet<string> = cpuFlags() ?? new Set()): GraphBuild[] {
  // Each level has all of the narrower ones.
  const first = LEVELS.findIndex((_, i) =>
    LEVELS.slice(i).every((level) => level.flags.every((flag) => flags.has(flag))),
  );
  const runnable = first < 0 ? [] : LEVELS.slice(first);
  return [...runnable.map(({ build }) => build).filter((build) => existsSync(addonFile(build))), PORTABLE];
}

export function loadGraphLibrary(build: GraphBuild = graphBuilds()[0] ?? PORTABLE): GraphLibrary {
  return require(build === PORTABLE ? 'hnswlib-node' : addonFile(build)) as GraphLibrary;
}

function addonFile(build: GraphBuild): string {
  return join(dirname(require.resolve('hnswlib-node/package.json')), 'build', 'Release', `addon-${build}.node`);
}
