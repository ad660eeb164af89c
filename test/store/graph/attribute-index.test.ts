import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import type { Attributes, AttributeValue, Filter, FilterCondition } from '../../../src/core/types.ts';
import { compileCondition, compileFilter } from '../../../src/store/graph/attribute-filter.ts';
import { type AttributeIndex, createAttributeIndex } from '../../../src/store/graph/attribute-index.ts';
import { randomNumbers } from '../sample-covers.ts';

const atOnce = async (): Promise<void> => {};

test('the meaning of each condition', () => {
  const cases: [FilterCondition, AttributeValue | undefined, boolean][] = [
    ['news', 'news', true],
    ['news', 'sport', false],
    ['news', ['sport', 'news'], true],
    ['1', 1, false],
    [1, true, false],
    [0, -0, true],
    ['news', undefined, false],
    [{ in: ['a', 2] }, 2, true],
    [{ in: ['a', 2] }, ['b', 'a'], true],
    [{ in: [] }, 'a', false],
    [{ in: ['a'] }, undefined, false],
    [{ gte: 1, lt: 3 }, 1, true],
    [{ gte: 1, lt: 3 }, 3, false],
    [{ gt: 1 }, 1, false],
    [{ lte: 1 }, 1, true],
    [{ gt: 0 }, '5', false],
    [{ gt: 0 }, undefined, false],
    [{ exists: true }, false, true],
    [{ exists: true }, '', true],
    [{ exists: true }, [], false],
    [{ exists: true }, undefined, false],
    [{ exists: false }, undefined, true],
    [{ exists: false }, 0, false],
    [{ not: 'news' }, undefined, true],
    [{ not: 'news' }, ['news'], false],
    [{ not: { gt: 3 } }, 'text', true],
    [{ not: { exists: true } }, undefined, true],
    [{ not: { not: { in: ['a'] } } }, 'a', true],
  ];
  for (const [condition, value, expected] of cases) {
    assert.equal(compileCondition(condition)(value), expected, JSON.stringify({ condition, value }));
  }
});

test('names of built-in properties are attributes like any other', async () => {
  assert.equal(compileFilter({ constructor: { exists: true } }).matches({}), false);
  const hostile = JSON.parse('{"__proto__": "x", "toString": 3}') as Attributes;
  const index = createAttributeIndex();
  index.set(1, hostile);
  index.set(2, {});
  assert.deepEqual([...(await index.matching(JSON.parse('{"__proto__": "x"}') as Filter, atOnce))], [1]);
  assert.deepEqual([...(await index.matching({ toString: { gt: 2 } }, atOnce))], [1]);
  assert.deepEqual([...(await index.matching({ constructor: { exists: false } }, atOnce))], [1, 2]);
});

const keys = ['a', 'b', '__proto__', ''];
const words = fc.constantFrom('x', 'y', 'z', '1', '');
const scalar = fc.oneof(words, fc.constantFrom(0, 1, 2.5, -3), fc.boolean());
const attributes = fc.dictionary(fc.constantFrom(...keys), fc.oneof(scalar, fc.array(words, { maxLength: 3 })), {
  maxKeys: 3,
});
const number = fc.constantFrom(-3, 0, 1, 2, 2.5);
const condition = fc.letrec<{ any: FilterCondition }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 3 },
    scalar,
    fc.record({ in: fc.array(scalar, { maxLength: 3 }) }),
    fc.record({ gt: number, gte: number, lt: number, lte: number }, { requiredKeys: [] }),
    fc.record({ exists: fc.boolean() }),
    fc.record({ not: tie('any') }),
  ),
})).any;
const filter = fc.dictionary(fc.constantFrom(...keys), condition, { minKeys: 1, maxKeys: 3 });
const change = fc.oneof(
  fc.record({ label: fc.integer({ min: 1, max: 12 }), attributes }),
  fc.record({ label: fc.integer({ min: 1, max: 12 }), attributes: fc.constant(undefined) }),
);

test('the index answers like looking at every cover, before, between and after writes, prepared as far as may be', async () => {
  const writes = fc.array(change);
  const filters = fc.array(filter, { maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(writes, filters, writes, fc.boolean(), async (before, filters, after, asksEarly) => {
      const index = createAttributeIndex();
      const preparing = index.prepare()[Symbol.iterator]();
      const covers = new Map<number, Attributes>();
      const write = (changes: typeof before): void => {
        for (const { label, attributes: next } of changes) {
          if (next === undefined) {
            index.remove(label);
            covers.delete(label);
          } else {
            index.set(label, next as Attributes);
            covers.set(label, next as Attributes);
          }
          if (changes === after) preparing.next();
        }
      };
      const check = async (): Promise<void> => {
        for (const each of filters as Filter[]) await answersLikeLooking(index, covers, each);
        assert.equal(index.size, covers.size);
      };
      write(before);
      if (asksEarly) await check();
      write(after);
      await check();
      while (preparing.next().done !== true);
      await check();
    }),
    { numRuns: 300 },
  );
});

test('an answer that takes many pieces follows what is written in between, also for who comes later', async () => {
  const random = randomNumbers(3);
  const pick = (count: number): number => Math.floor(random() * count);
  const index = createAttributeIndex();
  const covers = new Map<number, Attributes>();
  const write = (): void => {
    const label = 1 + pick(6_000);
    if (random() < 0.2) {
      index.remove(label);
      covers.delete(label);
      return;
    }
    const attributes: Attributes = random() < 0.1 ? {} : { a: pick(3), tags: [`t${pick(400)}`, `t${pick(5)}`] };
    index.set(label, attributes);
    covers.set(label, attributes);
  };
  for (let i = 0; i < 12_000; i++) write();
  const filters: Filter[] = [
    { a: { not: { in: [0, 7] } } },
    { a: 1 },
    { tags: { in: ['t1', 't300'] }, a: { not: 2 } },
    { tags: { exists: true } },
    { tags: { not: 't2' } },
  ];
  let pieces = 0;
  const giveWay = async (): Promise<void> => {
    pieces += 1;
    for (let i = 0; i < 40; i++) write();
  };
  for (const filter of filters) {
    const leaves = Promise.reject(new Error('left'));
    await assert.rejects(
      index.matching(filter, () => leaves),
      /left/,
    );
    for (let i = 0; i < 200; i++) write();
    // Two ask for the same at once, and one of them leaves.
    const one = index.matching(filter, giveWay);
    const other = index.matching(filter, () => leaves);
    await assert.rejects(other, /left/);
    await one;
    await answersLikeLooking(index, covers, filter);
  }
  assert.ok(pieces >= 50, `${pieces} pieces`);
});

async function answersLikeLooking(
  index: AttributeIndex,
  covers: ReadonlyMap<number, Attributes>,
  filter: Filter,
): Promise<void> {
  const { matches } = compileFilter(filter);
  const expected = [...covers].filter(([, held]) => matches(held)).map(([label]) => label);
  const found = [...(await index.matching(filter, atOnce))];
  assert.deepEqual(
    found.sort((a, b) => a - b),
    expected.sort((a, b) => a - b),
  );
}
