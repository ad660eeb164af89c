// hnswlib-node ships no prebuilt binary. Its own install script downloads Node's headers, which fails where only a
// package registry is reachable, so it is denied (package.json, allowScripts) and the addon is built here instead,
// against the headers that lie beside the running node when there are any.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

const addonFolder = join('node_modules', 'hnswlib-node');

// A lock-file-only install runs this script too, without any package.
if (existsSync(addonFolder) && !existsSync(join(addonFolder, 'build', 'Release', 'addon.node'))) buildAddon();

function buildAddon() {
  const nodePrefix = dirname(dirname(process.execPath));
  const args = ['rebuild', '--release'];
  if (existsSync(join(nodePrefix, 'include', 'node', 'node_api.h'))) args.push(`--nodedir=${nodePrefix}`);
  console.log('Building hnswlib-node …');
  const build = spawnSync('node-gyp', args, {
    cwd: addonFolder,
    encoding: 'utf8',
    // The compiler's warnings about the library are many and nobody's here to mend; a failure shows them all.
    maxBuffer: 64 * 1024 * 1024,
    shell: process.platform === 'win32',
  });
  if (build.status === 0) return;
  console.error(build.error?.message ?? `${build.stdout}${build.stderr}`);
  console.error('hnswlib-node could not be built; it needs a C++ compiler, make and Python 3.');
  process.exit(1);
}
