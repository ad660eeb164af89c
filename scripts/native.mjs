// hnswlib-node ships no prebuilt binary. Its own install script downloads Node's headers, which fails where only a
// package registry is reachable, so it is denied (package.json, allowScripts) and the addon is built here instead,
// against the headers that lie beside the running node when there are any.
//
// On x64 it is also built for the levels of x86-64 that have wider instructions; src/store/graph-library.ts loads what
// the processor can run. Each build is made where it is missing, also where another install script has made the portable
// one; a level that the compiler does not know is left out.
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const addonFolder = join('node_modules', 'hnswlib-node');
const release = join(addonFolder, 'build', 'Release');
const PORTABLE = 'addon.node';
const LEVELS = process.arch === 'x64' && process.platform === 'linux' ? ['x86-64-v3', 'x86-64-v4'] : [];
const BUILDS = [
  ...LEVELS.map((level) => ({ file: `addon-${level}.node`, flags: `-march=${level}` })),
  { file: PORTABLE },
];

// A lock-file-only install runs this script too, without any package.
if (existsSync(addonFolder) && BUILDS.some(({ file }) => isMissing(release, file))) buildMissing();

/** A build that failed leaves a mark, or every start would try it again. */
function isMissing(folder, file) {
  return !existsSync(join(folder, file)) && !existsSync(join(folder, `${file}.failed`));
}

/** Each build empties the folder of the ones before, which are kept elsewhere until all are made. */
function buildMissing() {
  const kept = mkdtempSync(join(addonFolder, 'builds-'));
  try {
    copyAddons(release, kept);
    for (const { file, flags } of BUILDS) if (isMissing(kept, file)) make(file, flags, kept);
    copyAddons(kept, release);
  } finally {
    rmSync(kept, { recursive: true });
  }
}

function copyAddons(from, to) {
  mkdirSync(to, { recursive: true });
  const files = existsSync(from) ? readdirSync(from).filter((file) => /^addon.*\.node/.test(file)) : [];
  for (const file of files) copyFileSync(join(from, file), join(to, file));
}

function make(file, flags, folder) {
  const built = build(flags);
  if (built.status === 0) return copyFileSync(join(release, PORTABLE), join(folder, file));
  if (file !== PORTABLE) {
    writeFileSync(join(folder, `${file}.failed`), '');
    return console.error(`hnswlib-node could not be built with ${flags}; it searches slower without.`);
  }
  console.error(built.error?.message ?? `${built.stdout}${built.stderr}`);
  console.error('hnswlib-node could not be built; it needs a C++ compiler, make and Python 3.');
  process.exitCode = 1;
}

function build(flags) {
  const nodePrefix = dirname(dirname(process.execPath));
  const args = ['rebuild', '--release'];
  if (existsSync(join(nodePrefix, 'include', 'node', 'node_api.h'))) args.push(`--nodedir=${nodePrefix}`);
  console.log(`Building hnswlib-node${flags === undefined ? '' : ` with ${flags}`} …`);
  const cxxFlags = [process.env.CXXFLAGS, flags].filter(Boolean).join(' ');
  return spawnSync('node-gyp', args, {
    cwd: addonFolder,
    env: { ...process.env, ...(cxxFlags === '' ? {} : { CXXFLAGS: cxxFlags }) },
    encoding: 'utf8',
    // The compiler's warnings about the library are many and nobody's here to mend; a failure shows them all.
    maxBuffer: 64 * 1024 * 1024,
    shell: process.platform === 'win32',
  });
}
