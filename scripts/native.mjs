// hnswlib-node ships no prebuilt binary. Its own install script downloads Node's headers, which fails where only a
// package registry is reachable, so it is denied (package.json, allowScripts) and the addon is built here instead,
// against the headers that lie beside the running node when there are any.
//
// COVERRANK_NATIVE=1 builds it for the instruction sets of this machine's processor, which searches faster and may end
// with an illegal instruction on another; COVERRANK_NATIVE=0 builds it for all of them again. Without it what is there
// stays, and a first build is for all.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

const addonFolder = join('node_modules', 'hnswlib-node');
const asked = process.env.COVERRANK_NATIVE ?? '';
const PORTABLE = {};
const NATIVE = { CXXFLAGS: `${process.env.CXXFLAGS ?? ''} -march=native`.trim() };

// A lock-file-only install runs this script too, without any package.
if (existsSync(addonFolder)) {
  if (asked === '1') buildNative();
  else if (asked === '0' || !existsSync(join(addonFolder, 'build', 'Release', 'addon.node'))) buildPortable();
}

function buildNative() {
  if (build(NATIVE).status === 0 && works()) return console.log('hnswlib-node is built for this processor.');
  console.error('The addon built for this processor does not work here; building it for all.');
  buildPortable();
}

function buildPortable() {
  const built = build(PORTABLE);
  if (built.status === 0) return;
  console.error(built.error?.message ?? `${built.stdout}${built.stderr}`);
  console.error('hnswlib-node could not be built; it needs a C++ compiler, make and Python 3.');
  process.exit(1);
}

function build(environment) {
  const nodePrefix = dirname(dirname(process.execPath));
  const args = ['rebuild', '--release'];
  if (existsSync(join(nodePrefix, 'include', 'node', 'node_api.h'))) args.push(`--nodedir=${nodePrefix}`);
  console.log('Building hnswlib-node …');
  return spawnSync('node-gyp', args, {
    cwd: addonFolder,
    env: { ...process.env, ...environment },
    encoding: 'utf8',
    // The compiler's warnings about the library are many and nobody's here to mend; a failure shows them all.
    maxBuffer: 64 * 1024 * 1024,
    shell: process.platform === 'win32',
  });
}

/** In a process of its own, since an instruction that the processor lacks ends it. */
function works() {
  const search = `
    const { HierarchicalNSW } = require('hnswlib-node');
    const graph = new HierarchicalNSW('ip', 100);
    graph.initIndex(64);
    for (let label = 0; label < 64; label++) graph.addPoint(Array.from({ length: 100 }, (_, i) => +(i === label)), label);
    process.exit(graph.searchKnn(Array.from({ length: 100 }, (_, i) => +(i === 7)), 1).neighbors[0] === 7 ? 0 : 1);`;
  return spawnSync(process.execPath, ['--eval', search]).status === 0;
}
