import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { isFailure } from '../../../../src/core/errors.ts';
import { LIMITS } from '../../../../src/http/limits.ts';
import { createItemParser } from '../../../../src/http/routes/index/item-parser.ts';
import { hasItems, type ParsedItem } from '../../../../src/http/routes/index/items.ts';

const maxImageBytes = 1_000_000;
const source = (json: unknown) => ({ bytes: Buffer.from(JSON.stringify(json)), maxImageBytes });

function parserFor(t: TestContext) {
  const parser = createItemParser();
  t.after(() => parser.close());
  return parser;
}

function itemsOf(envelope: unknown): readonly ParsedItem[] {
  assert.ok(hasItems(envelope));
  return envelope.items;
}

const tiny = randomBytes(30);
const large = randomBytes(600_000);
const items = [
  { id: 'large', image_base64: large.toString('base64'), title: '大', attributes: { tags: ['a'] } },
  { id: 'tiny', image_base64: tiny.toString('base64') },
  { id: 'vector', embedding: [1, 2, 3] },
  { id: 'gone', delete: true },
  { id: 'both', image_base64: 'AAAA', embedding: [1] },
  { id: 'sloppy', image_base64: 'A' },
  7,
];

test('a large body gives what a small one gives', async (t) => {
  const parser = parserFor(t);
  const [first, ...rest] = itemsOf(await parser.envelope(source({ items, wait: false })));
  assert.ok(first !== undefined && 'source' in first && 'bytes' in first.source);
  assert.deepEqual(Buffer.from(first.source.bytes), large);
  assert.deepEqual(first.attributes, { tags: ['a'] });

  const small = itemsOf(await parser.envelope(source({ items: items.slice(1) })));
  const comparable = (list: readonly ParsedItem[]) =>
    list.map((item) => {
      if ('error' in item)
        return { id: item.id, code: item.error.code, detail: item.error.detail, errors: item.error.errors };
      return 'source' in item && 'bytes' in item.source ? { ...item, source: Buffer.from(item.source.bytes) } : item;
    });
  assert.deepEqual(comparable(rest), comparable(small));
  assert.deepEqual(
    comparable(small)
      .slice(3)
      .map((item) => 'code' in item && item.code),
    ['invalid_request', 'invalid_request', 'invalid_request'],
  );
});

test('lines as well', async (t) => {
  const parser = parserFor(t);
  const item = await parser.line(source(items[0]));
  assert.ok('source' in item && 'bytes' in item.source);
  assert.deepEqual(Buffer.from(item.source.bytes), large);
  for (const bytes of [Buffer.from('{"id":'), Buffer.from([0x22, 0xff, 0x22]), Buffer.alloc(300_000, '[')]) {
    const start = String(bytes.subarray(0, 10));
    const rejected = await parser.line({ bytes, maxImageBytes });
    assert.ok('error' in rejected && isFailure(rejected.error, 'invalid_request'), start);
  }
});

test('what the schema refuses is cut down to what it refuses it for', async (t) => {
  const parser = parserFor(t);
  const filler = 'x'.repeat(300_000);
  const envelope = (json: unknown) => parser.envelope(source(json));
  assert.deepEqual(await envelope({ items: filler }), { items: null });
  assert.deepEqual(await envelope({ items: [], wait: filler }), { items: [], wait: null });
  assert.deepEqual(await envelope([filler]), []);
  assert.equal(await envelope(filler), null);
  const unknown = (await envelope({ items: [], [filler]: filler, more: filler })) as object;
  assert.deepEqual(Object.values(unknown), [[], null]);
  assert.ok(JSON.stringify(unknown).length < 2000);
  const many = (await envelope({ items: new Array(200_000).fill(7) })) as { items: unknown[] };
  assert.equal(many.items.length, LIMITS.indexItems + 1);
});

test('bytes that are no JSON in UTF-8 are refused, of any size', async (t) => {
  const parser = parserFor(t);
  for (const size of [10, 300_000]) {
    for (const bytes of [Buffer.alloc(size, '['), Buffer.alloc(size, 0xff)]) {
      await assert.rejects(parser.envelope({ bytes, maxImageBytes }), (error) => isFailure(error, 'invalid_request'));
    }
  }
  await assert.rejects(parser.envelope({ bytes: Buffer.alloc(0), maxImageBytes }), /empty/);
});

test('a __proto__ in an item is refused with the item and sets nothing', async (t) => {
  const parser = parserFor(t);
  for (const filler of ['', ' '.repeat(300_000)]) {
    const json = `{"items":[{"id":"a","delete":true,"__proto__":{"polluted":1}},{"id":"b","delete":true}]${filler}}`;
    const [bad, good] = itemsOf(await parser.envelope({ bytes: Buffer.from(json), maxImageBytes }));
    assert.ok(bad !== undefined && 'error' in bad);
    assert.deepEqual(good, { id: 'b', delete: true });
  }
  assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
});
