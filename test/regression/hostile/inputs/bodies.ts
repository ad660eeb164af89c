import type { Dice } from '../dice.ts';
import { type HostileInput, type InputKind, JSON_TYPE, NDJSON_TYPE, post, withBody } from '../input.ts';
import { NASTY_NAMES } from './ids.ts';

const PIXEL = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
const ITEMS: readonly object[] = [
  {
    id: 'body-1',
    image_base64: PIXEL,
    title: '红烧肉',
    attributes: { channel: 'food', tags: ['a', 'b'] },
    if_changed: true,
  },
  { id: 'body-2', image_url: 'http://127.0.0.1:9/a.png' },
  { id: 'body-3', embedding: [0.1, 0.2] },
  { id: 'body-4', delete: true },
];

const BODIES: readonly { readonly path: string; readonly method?: string; readonly body: object }[] = [
  {
    path: '/rank',
    body: {
      query: '猫',
      top_n: 3,
      recall_k: 9,
      rerank_k: 2,
      candidates: ['a'],
      filter: { channel: 'food' },
      deadline_ms: 900,
      include: ['cover'],
    },
  },
  { path: '/index', body: { items: ITEMS, wait: true } },
  { path: '/index', body: { items: [ITEMS[0]], wait: false } },
  {
    path: '/score',
    body: {
      pairs: [
        { query: '猫', id: 'a' },
        { query: '猫', image_base64: PIXEL },
      ],
    },
  },
  { path: '/embed', body: { texts: ['猫', 'cat'] } },
  { path: '/embed', body: { images_base64: [PIXEL] } },
  { path: '/judgements', method: 'PUT', body: { judgements: [{ query: '猫', id: 'canary-0', grade: 2 }] } },
];

/** Values that a field of another type may turn out to be. */
const NASTY_VALUES: readonly unknown[] = [
  ...[null, true, false, 0, -0, -1, 1.5, 2 ** 53, 1e308, -1e308, 5e-324, '', ' ', '\0', [], {}, [[]], [null]],
  ...NASTY_NAMES,
  ...['x'.repeat(2000), '猫'.repeat(1001), Array(2000).fill(0), { length: -1 }, { toString: 1 }, { $ref: '#' }],
];

/** JSON bodies and NDJSON streams, spoiled in their values, in their text or in their bytes. */
export const bodies: InputKind = (dice) => {
  if (dice.chance(0.25)) return lines(dice);
  const { path, method = 'POST', body } = dice.pick(BODIES);
  const text = Buffer.from(withOwnProto(dice, JSON.stringify(dice.chance(0.7) ? spoiled(body, dice) : body)));
  if (dice.chance(0.5)) return withBody({ name: 'body with other values', method, path }, text);
  return withBody(
    { name: 'body with other bytes', method, path },
    spoilBytes(text, dice),
    dice.pick([JSON_TYPE, JSON_TYPE, JSON_TYPE, NDJSON_TYPE, `${JSON_TYPE}; charset=gbk`]),
  );
};

function lines(dice: Dice): HostileInput {
  const separators = ['\n', '\r\n', '\n\n', ' ', '\r', '\u2028', ''];
  const parts = Array.from({ length: dice.below(12) }, () => {
    const line = Buffer.from(withOwnProto(dice, JSON.stringify(spoiled(dice.pick(ITEMS), dice)) ?? ''));
    const separator = dice.chance(0.8) ? '\n' : dice.pick(separators);
    return Buffer.concat([dice.chance(0.3) ? spoilBytes(line, dice) : line, Buffer.from(separator)]);
  });
  return post('lines', '/index', Buffer.concat(parts), NDJSON_TYPE);
}

/** A copy in which one to three of its values, or names, are others. */
function spoiled(value: object, dice: Dice): unknown {
  let copy: unknown = structuredClone(value);
  for (let times = 1 + dice.below(3); times > 0; times--) copy = spoilOne(copy, dice, 0);
  return copy;
}

function spoilOne(value: unknown, dice: Dice, depth: number): unknown {
  if (typeof value !== 'object' || value === null || dice.chance(depth === 0 ? 0.02 : 0.3))
    return dice.pick(NASTY_VALUES);
  if (Array.isArray(value)) {
    if (value.length === 0 || dice.chance(0.1)) return [...value, dice.pick(NASTY_VALUES)];
    const at = dice.below(value.length);
    return value.map((inner, position) => (position === at ? spoilOne(inner, dice, depth + 1) : inner));
  }
  const entries = Object.entries(value);
  if (entries.length === 0 || dice.chance(0.15)) return { ...value, [dice.pick(NASTY_NAMES)]: dice.pick(NASTY_VALUES) };
  const [name] = dice.pick(entries);
  if (dice.chance(0.15)) return Object.fromEntries(entries.filter(([other]) => other !== name));
  return Object.fromEntries(
    entries.map(([other, inner]) => [other, other === name ? spoilOne(inner, dice, depth + 1) : inner]),
  );
}

/** Puts names that would set a prototype, or a name twice, into the text of some object. */
function withOwnProto(dice: Dice, text: string): string {
  if (dice.chance(0.7)) return text;
  const inserted = dice.pick([
    '"__proto__":{"polluted":true},',
    '"constructor":{"prototype":{"polluted":true}},',
    '"id":"first","id":"second",',
    '"query":1,"query":"2",',
  ]);
  const starts = [...text.matchAll(/\{(?=")/g)].map(({ index }) => index + 1);
  if (starts.length === 0) return text;
  const at = dice.pick(starts);
  return text.slice(0, at) + inserted + text.slice(at);
}

/** Bytes cut off, flipped, repeated, put in between; and depth without end. */
export function spoilBytes(bytes: Buffer, dice: Dice): Buffer {
  const at = dice.below(bytes.length + 1);
  const until = at + dice.below(bytes.length - at + 1);
  switch (dice.below(8)) {
    case 0:
      return bytes.subarray(0, at);
    case 1:
      return bytes.subarray(at);
    case 2:
      return Buffer.concat([bytes.subarray(0, at), dice.bytes(1 + dice.below(8)), bytes.subarray(at)]);
    case 3:
      return Buffer.concat([bytes.subarray(0, until), bytes.subarray(at)]);
    case 4:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(until)]);
    case 5:
      return Buffer.concat([
        Buffer.from(dice.pick(['\ufeff', '\0', '[', '{"a":', '"\\ud800"', '-', '1e', 'NaN'])),
        bytes,
      ]);
    case 6:
      return Buffer.from(dice.pick(['[', '{"a":', '[{"not":']).repeat(dice.pick([10, 1000, 100_000])));
    default: {
      const flipped = Buffer.from(bytes);
      for (let times = 1 + dice.below(6); times > 0 && flipped.length > 0; times--) {
        const place = dice.below(flipped.length);
        flipped[place] = (flipped[place] ?? 0) ^ (1 << dice.below(8));
      }
      return flipped;
    }
  }
}
