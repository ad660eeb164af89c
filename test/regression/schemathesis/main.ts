import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { generateKey } from '../../../src/core/api-key.ts';
import { packageRoot } from '../../../src/core/package-root.ts';
import { startVictim } from '../hostile/victim.ts';

/**
 * `npm run test:schemathesis [-- options of schemathesis]`: requests made from the OpenAPI document, right and wrong ones,
 * against a service of its own that wants a key. Needs Python and the package in requirements.txt beside this file:
 * `python3 -m venv V && V/bin/pip install -r …/requirements.txt`, then `SCHEMATHESIS=V/bin/schemathesis`.
 */
const key = generateKey();
const victim = await startVictim(key);
try {
  const args = [
    ...['--config-file', join(packageRoot, 'test/regression/schemathesis/schemathesis.toml')],
    'run',
    join(packageRoot, 'openapi', 'openapi.json'),
    ...['--url', `http://127.0.0.1:${victim.port}`],
    ...['--header', `Authorization: Bearer ${key}`],
    ...['--request-timeout', '60'],
    ...['--report-dir', join(victim.root, 'reports')],
    ...process.argv.slice(2),
  ];
  const child = spawn(process.env['SCHEMATHESIS'] ?? 'schemathesis', args, { stdio: 'inherit', cwd: victim.root });
  const [code] = (await once(child, 'exit')) as [number | null];
  for (const line of victim.logged) process.stderr.write(`${line}\n`);
  process.exitCode = code === 0 && victim.logged.length === 0 ? 0 : 1;
} finally {
  await victim.close();
}
