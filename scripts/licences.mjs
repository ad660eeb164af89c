// Says under which licences the packages that run in production are, from the lock file alone, and fails when one is not
// on the list. `npm run licences`; with `-- --all` the tools of development as well, with `-- --json` for programs.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const PERMISSIVE = [
  ...['0BSD', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', 'BlueOak-1.0.0', 'CC0-1.0', 'ISC', 'MIT', 'Zlib'],
];
/** By package, with why they may be used although their licence asks for more. */
const ALLOWED_BY_NAME = [
  // libvips, prebuilt: a library of its own that is loaded at run time and can be replaced.
  { name: /^@img\/sharp-/, licences: ['LGPL-3.0-or-later'] },
  // Runs in tests only.
  { name: /^axe-core$/, licences: ['MPL-2.0'] },
];

const args = process.argv.slice(2);
const lock = JSON.parse(readFileSync(join(import.meta.dirname, '..', 'package-lock.json'), 'utf8'));
const packages = Object.entries(lock.packages)
  .filter(([path, { dev }]) => path !== '' && (args.includes('--all') || dev !== true))
  .map(([path, { version, license }]) => {
    const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
    return { name, version, licence: license ?? 'none', allowed: isAllowed(license ?? '', name) };
  })
  .sort((a, b) => (a.name < b.name ? -1 : 1));
const refused = packages.filter(({ allowed }) => !allowed);

if (args.includes('--json')) {
  console.log(JSON.stringify(packages, null, 2));
} else {
  for (const { name, version, licence } of packages) console.log(`${licence.padEnd(18)} ${name}@${version}`);
  for (const { name, licence } of refused) console.error(`not on the list: ${name} (${licence})`);
}
process.exitCode = refused.length === 0 ? 0 : 1;

/** An SPDX expression without nesting, which is all that packages have: alternatives of conjunctions. */
function isAllowed(expression, name) {
  const licences = [
    ...PERMISSIVE,
    ...ALLOWED_BY_NAME.filter((entry) => entry.name.test(name)).flatMap((entry) => entry.licences),
  ];
  return expression
    .replace(/^\((.*)\)$/, '$1')
    .split(' OR ')
    .some((alternative) => alternative.split(' AND ').every((licence) => licences.includes(licence)));
}
