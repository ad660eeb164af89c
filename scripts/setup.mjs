// What an install leaves undone where npm was told to run no scripts (`npm ci --ignore-scripts`): the addon and the
// compiled files. Does nothing where both are there. Runs under `npm run`, which has node-gyp on its path.
import { existsSync } from 'node:fs';
import { join } from 'node:path';

await import('./native.mjs');
if (!existsSync(join('dist', 'src', 'cli.js'))) await import('./prepare.mjs');
