import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createQuerySource, parseQueries } from '../../loadtest/queries.ts';
import { createRandom } from '../../loadtest/random.ts';

test('queries are the different ones of the first column, in order', () => {
  const qrels = '麦克风\tcover-0000\t2\n麦克风\tcover-0001\t1\nfried shrimp\tcover-0002\t2\n\n';
  assert.deepEqual(parseQueries(qrels), ['麦克风', 'fried shrimp']);
});

test('a fresh query is never given twice, whatever the number of known ones and the seed', () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 12 }), fc.nat(), (known, seed) => {
      const texts = Array.from({ length: known }, (_, index) => `q${index}`);
      const source = createQuerySource(texts, createRandom(seed));
      // Three times the number of pairs, so that the walk starts over twice.
      const fresh = Array.from({ length: 3 * known ** 2 }, () => source.fresh());
      assert.equal(new Set(fresh).size, fresh.length);
      assert.ok(fresh.every((query) => !texts.includes(query)));
    }),
    { numRuns: 50 },
  );
});

test('repeated queries come from the primer alone', () => {
  const texts = Array.from({ length: 300 }, (_, index) => `q${index}`);
  const source = createQuerySource(texts, createRandom(7));
  assert.equal(source.primer.length, 100);
  const primer = new Set(source.primer);
  const drawn = new Set(Array.from({ length: 2000 }, () => source.repeated()));
  assert.ok([...drawn].every((query) => primer.has(query)));
  assert.equal(drawn.size, primer.size);
});

test('the same seed asks the same queries', () => {
  const texts = ['a', 'b', 'c', 'd'];
  const ask = (seed: number) => {
    const source = createQuerySource(texts, createRandom(seed));
    return Array.from({ length: 10 }, () => [source.fresh(), source.repeated()]);
  };
  assert.deepEqual(ask(1), ask(1));
  assert.notDeepEqual(ask(1), ask(2));
});
