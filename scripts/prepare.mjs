// Compiles, and builds the console's page, after an install. A production install (`npm ci --omit=dev`) runs this too but
// has no compiler: there dist/ comes from elsewhere, as in the Dockerfile.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const compiled = existsSync(join('dist', 'src', 'cli.js'));
// The first `npx coverrank` of a machine links this folder into npx's cache, which counts as an install. Compiling once
// more would cost seconds, and a failure would leave that cache broken for good.
if (compiled && process.env['npm_command'] === 'exec') process.exit(0);

const compiler = join('node_modules', 'typescript', 'bin', 'tsc');
if (existsSync(compiler)) {
  const build = spawnSync(process.execPath, [compiler, '-p', 'tsconfig.json'], { stdio: 'inherit' });
  if (build.status !== 0) process.exit(build.status ?? 1);
  await import('./console.mjs');
} else if (!compiled) {
  console.error('coverrank is not compiled: install the development dependencies, or copy dist/ from a build.');
}
