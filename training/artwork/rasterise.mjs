// Draws the icons of every concept once, so that training composes covers from pixels alone.
// usage: node rasterise.mjs CONCEPTS.tsv OUT
// OUT/sprites.raw holds SIDE x SIDE RGBA pictures, OUT/sprites.json one [concept, set, icon] a picture.
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import sharp from 'sharp';

const SIDE = 112;
const SETS = [
  'noto',
  'noto-v1',
  'twemoji',
  'emojione',
  'fxemoji',
  'fluent-emoji',
  'fluent-emoji-flat',
  'fluent-emoji-high-contrast',
  'streamline-emojis',
  'emojione-monotone',
];
/** Sets that know nothing of emojis: an icon belongs to a concept whose name it has. */
const NAMED_SETS = ['hugeicons', 'icon-park', 'lucide', 'mdi', 'ph', 'tabler'];
/** How these sets end the names of the fuller of several drawings; an icon without an ending comes last. */
const ENDINGS = ['-duotone', '-fill', '-filled', ''];
/** Names that mean another thing there: a mouse is one of a computer. */
const AMBIGUOUS = new Set([
  'bat',
  'bow',
  'crane',
  'date',
  'iron',
  'match',
  'mole',
  'mouse',
  'nut',
  'orange',
  'palm',
  'seal',
]);

const require = createRequire(import.meta.url);
const [conceptsFile, out] = process.argv.slice(2);
if (out === undefined) {
  console.error('usage: node rasterise.mjs CONCEPTS.tsv OUT');
  process.exit(2);
}

const icons = Object.fromEntries(
  [...SETS, ...NAMED_SETS].map((set) => [set, require(`@iconify-json/${set}/icons.json`)]),
);
const codePoints = Object.fromEntries(SETS.map((set) => [set, require(`@iconify-json/${set}/chars.json`)]));
const emojis = new Map(require('emojibase-data/en/data.json').map((emoji) => [plain(emoji.hexcode), emoji]));

/** Code points without the variation selector, as the icon sets write them. */
function plain(hexcode) {
  return hexcode
    .toLowerCase()
    .split('-')
    .filter((point) => point !== 'fe0f')
    .join('-');
}

function slug(label) {
  return label
    .toLowerCase()
    .replace(/[’'“”".,:!()&]/g, '')
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '');
}

function known(set, name) {
  const { icons: own, aliases = {} } = icons[set];
  return name !== undefined && (own[name] !== undefined || aliases[name] !== undefined);
}

/** Sets without code points are searched by the names that the emoji has elsewhere. */
function iconName(set, codePoint) {
  const emoji = emojis.get(codePoint);
  if (emoji === undefined) throw new Error(`no emoji ${codePoint}`);
  const byPoint = codePoints[set][codePoint] ?? codePoints[set][`${codePoint}-fe0f`];
  if (byPoint !== undefined) return byPoint;
  const label = slug(emoji.label);
  const elsewhere = ['noto', 'twemoji', 'fluent-emoji-flat'].map((other) => codePoints[other][codePoint]);
  const names = [label, ...elsewhere, ...(emoji.shortcodes ?? []), `${label}-face`, label.replace(/-face$/, '')];
  for (const name of names.filter(Boolean)) {
    const found = [name, name.replace(/[-_]/g, ''), name.replace(/_/g, '-')].find((spelling) => known(set, spelling));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The fullest drawing of what has one of these names and means it. */
function namedIcon(set, names) {
  const slugs = names.map(slug).filter((name) => !AMBIGUOUS.has(name));
  return slugs.flatMap((name) => ENDINGS.map((ending) => `${name}${ending}`)).find((name) => known(set, name));
}

function svg(set, name) {
  const { icons: own, aliases = {}, width = 16, height = 16 } = icons[set];
  let icon = own[name];
  for (let next = name; icon === undefined; icon = own[next]) next = aliases[next].parent;
  const box = `${icon.left ?? 0} ${icon.top ?? 0} ${icon.width ?? width} ${icon.height ?? height}`;
  return `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="${SIDE}" height="${SIDE}" viewBox="${box}">${icon.body}</svg>`;
}

const concepts = readFileSync(conceptsFile, 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'));
mkdirSync(out, { recursive: true });
const raw = openSync(join(out, 'sprites.raw'), 'w');
const index = [];

async function draw(concept, set, name) {
  if (name === undefined || index.some(([c, s, n]) => c === concept && s === set && n === name)) return;
  const pixels = await sharp(Buffer.from(svg(set, name)))
    .ensureAlpha()
    .raw()
    .toBuffer();
  if (pixels.length !== SIDE * SIDE * 4) throw new Error(`${set} ${name}: ${pixels.length} bytes`);
  writeSync(raw, pixels);
  index.push([concept, set, name]);
}

for (const [concept, line] of concepts.entries()) {
  const [points, , english] = line.split('\t');
  for (const codePoint of points.split(' ')) {
    for (const set of SETS) await draw(concept, set, iconName(set, codePoint));
  }
  for (const set of NAMED_SETS) await draw(concept, set, namedIcon(set, english.split('|')));
}
closeSync(raw);
writeFileSync(join(out, 'sprites.json'), JSON.stringify({ side: SIDE, sprites: index }));
const counts = Object.fromEntries(
  [...SETS, ...NAMED_SETS].map((set) => [set, index.filter(([, other]) => other === set).length]),
);
console.log(`${index.length} pictures of ${concepts.length} concepts`, counts);
