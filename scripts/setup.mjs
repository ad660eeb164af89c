// What an install leaves undone where npm was told to run no scripts (`npm ci --ignore-scripts`): the addon, the compiled
// files and the console's page. Does nothing where all are there. Runs under `npm run`, which has node-gyp on its path.
import { existsSync } from 'node:fs';
import { join } from 'node:path';

await import('./native.mjs');
const built = [join('dist', 'src', 'cli.js'), join('dist', 'public', 'index.html')].every((file) => existsSync(file));
if (!built) await import('./prepare.mjs');
