// Builds the console's page into dist/public: one script and one style sheet, named by their content so that browsers
// may keep them for good, each beside its compressed forms. `--watch` builds again whenever a source changes.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { build, context } from 'esbuild';

const SOURCE = 'console';
const TARGET = join('dist', 'public');
const ASSETS = join(TARGET, 'assets');
/** What a first visit may transfer, gzipped. */
const MAX_BYTES = 150 * 1024;

const writePage = {
  name: 'page',
  setup(bundler) {
    bundler.onEnd(({ errors, outputFiles }) => {
      if (errors.length === 0) write(outputFiles);
    });
  },
};

const options = {
  entryPoints: ['main.tsx', 'style/main.css', 'mark.svg'].map((file) => join(SOURCE, 'src', file)),
  outdir: ASSETS,
  entryNames: '[name]-[hash]',
  bundle: true,
  minify: true,
  write: false,
  format: 'esm',
  target: ['chrome123', 'firefox128', 'safari17.5'],
  jsx: 'automatic',
  jsxImportSource: 'preact',
  tsconfig: join(SOURCE, 'tsconfig.json'),
  loader: { '.svg': 'copy' },
  charset: 'utf8',
  legalComments: 'none',
  banner: { js: `/*\n${licences()}\n*/` },
  logLevel: 'warning',
  plugins: [writePage],
};

if (process.argv.includes('--watch')) await (await context(options)).watch();
else await build(options);

/** The script holds a copy of these packages, and their licence asks to be kept with it. */
function licences() {
  return ['preact', '@preact/signals', '@preact/signals-core']
    .map((name) => `${name}\n\n${readFileSync(join('node_modules', name, 'LICENSE'), 'utf8').trim()}`)
    .join('\n\n');
}

function write(files) {
  rmSync(TARGET, { recursive: true, force: true });
  mkdirSync(ASSETS, { recursive: true });
  let page = readFileSync(join(SOURCE, 'index.html'), 'utf8');
  for (const { path, contents } of files) {
    const name = basename(path);
    writeCompressed(join(ASSETS, name), Buffer.from(contents));
    page = page.replace(`/assets/${name.replace(/-[A-Z0-9]{8}\./, '.')}`, `/assets/${name}`);
  }
  writeCompressed(join(TARGET, 'index.html'), Buffer.from(page));
  const bytes = [TARGET, ASSETS].flatMap(compressedSizes).reduce((sum, size) => sum + size, 0);
  console.log(`The console has ${(bytes / 1024).toFixed(1)} KB gzipped.`);
  if (bytes > MAX_BYTES) throw new Error(`The console may have ${MAX_BYTES / 1024} KB.`);
}

function writeCompressed(path, bytes) {
  writeFileSync(path, bytes);
  writeFileSync(`${path}.gz`, gzipSync(bytes, { level: 9 }));
  writeFileSync(`${path}.br`, brotliCompressSync(bytes));
}

function compressedSizes(folder) {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.gz'))
    .map((name) => readFileSync(join(folder, name)).length);
}
