// hnswlib-node ships no prebuilt binary. Its own install script downloads Node's headers, which fails where only a
// package registry is reachable, so it is denied (package.json, allowScripts) and the addon is built here instead,
// against the headers that lie beside the running node when there are any.
//
// On x64 it is also built for the levels of x86-64 that have wider instructions; src/store/graph-library.ts loads what
// the processor can run. These builds are left out where the compiler does not know a level.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';

const addonFolder = join('node_modules', 'hnswlib-node');
const release = join(addonFolder, 'build', 'Release');
const LEVELS = process.arch === 'x64' && process.platform === 'linux' ? ['x86-64-v3', 'x86-64-v4'] : [];

// A lock-file-only install runs this script too, without any package.
if (existsSync(addonFolder) && !existsSync(join(release, 'addon.node'))) buildAll();

/** The portable build comes last, as each build empties the folder of the one before. */
function buildAll() {
  const kept = mkdtempSync(join(addonFolder, 'builds-'));
  for (const level of LEVELS) {
    if (build({ CXXFLAGS: `${process.env.CXXFLAGS ?? ''} -march=${level}`.trim() }).status === 0) {
      renameSync(join(release, 'addon.node'), join(kept, `addon-${level}.node`));
    } else {
      console.error(`hnswlib-node could not be built for ${level}; graphs are searched without it, slower.`);
    }
  }
  const built = build({});
  if (built.status !== 0) {
    console.error(built.error?.message ?? `${built.stdout}${built.stderr}`);
    console.error('hnswlib-node could not be built; it needs a C++ compiler, make and Python 3.');
    process.exit(1);
  }
  for (const file of readdirSync(kept)) renameSync(join(kept, file), join(release, file));
  rmSync(kept, { recursive: true });
}

function build(environment) {
  const nodePrefix = dirname(dirname(process.execPath));
  const args = ['rebuild', '--release'];
  if (existsSync(join(nodePrefix, 'include', 'node', 'node_api.h'))) args.push(`--nodedir=${nodePrefix}`);
  console.log(`Building hnswlib-node${environment.CXXFLAGS === undefined ? '' : ` with ${environment.CXXFLAGS}`} …`);
  return spawnSync('node-gyp', args, {
    cwd: addonFolder,
    env: { ...process.env, ...environment },
    encoding: 'utf8',
    // The compiler's warnings about the library are many and nobody's here to mend; a failure shows them all.
    maxBuffer: 64 * 1024 * 1024,
    shell: process.platform === 'win32',
  });
}
