import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import type { Attributes, AttributeValue, Filter, FilterCondition } from '../../src/core/types.ts';
import { matchesCondition, matchesFilter } from '../../src/store/attribute-filter.ts';
import { createAttributeIndex } from '../../src/store/attribute-index.ts';

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
    assert.equal(matchesCondition(condition, value), expected, JSON.stringify({ condition, value }));
  }
});

test('names of built-in properties are attributes like any other', () => {
  assert.equal(matchesFilter({ constructor: { exists: true } }, {}), false);
  const hostile = JSON.parse('{"__proto__": "x", "toString": 3}') as Attributes;
  const index = createAttributeIndex();
  index.set(1, hostile);
  index.set(2, {});
  assert.deepEqual([...index.matching(JSON.parse('{"__proto__": "x"}') as Filter)], [1]);
  assert.deepEqual([...index.matching({ toString: { gt: 2 } })], [1]);
  assert.deepEqual([...index.matching({ constructor: { exists: false } })], [1, 2]);
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

test('the index answers like looking at every cover, before, between and after writes, prepared as far as may be', () => {
  const writes = fc.array(change);
  const filters = fc.array(filter, { maxLength: 20 });
  fc.assert(
    fc.property(writes, filters, writes, fc.boolean(), (before, filters, after, asksEarly) => {
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
      const check = (): void => {
        for (const each of filters as Filter[]) {
          const expected = [...covers].filter(([, held]) => matchesFilter(each, held)).map(([label]) => label);
          assert.deepEqual(
            [...index.matching(each)].sort((a, b) => a - b),
            expected.sort((a, b) => a - b),
          );
        }
        assert.equal(index.size, covers.size);
      };
      write(before);
      if (asksEarly) check();
      write(after);
      check();
      while (preparing.next().done !== true);
      check();
    }),
    { numRuns: 300 },
  );
});
