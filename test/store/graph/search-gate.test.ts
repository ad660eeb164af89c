import assert from 'node:assert/strict';
import test from 'node:test';
import { isFailure } from '../../../src/core/errors.ts';
import { createSearchGate } from '../../../src/store/graph/search-gate.ts';
import { never } from '../sample-covers.ts';

/** Work that ends when it is told to. */
function openWork() {
  const started: string[] = [];
  const ends = new Map<string, () => void>();
  const work = (name: string) => () => {
    started.push(name);
    return new Promise<string>((resolve) => ends.set(name, () => resolve(name)));
  };
  return { started, work, end: (name: string) => ends.get(name)?.() };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test('runs so many at once, and the next in order when one ends', async () => {
  const { started, work, end } = openWork();
  const gate = createSearchGate(2, 10);
  const all = ['a', 'b', 'c', 'd'].map((name) => gate.run(work(name), never()));
  await turn();
  assert.deepEqual(started, ['a', 'b']);
  end('b');
  assert.equal(await all[1], 'b');
  assert.deepEqual(started, ['a', 'b', 'c']);
  for (const name of ['a', 'c']) end(name);
  await turn();
  end('d');
  assert.deepEqual(await Promise.all(all), ['a', 'b', 'c', 'd']);
});

test('refuses what would wait too long, and never starts what was given up', async () => {
  const { started, work, end } = openWork();
  const gate = createSearchGate(1, 1);
  const first = gate.run(work('a'), never());
  const leaving = new AbortController();
  const second = gate.run(work('b'), leaving.signal);
  await assert.rejects(gate.run(work('c'), never()), (error) => isFailure(error, 'overloaded'));
  leaving.abort();
  await assert.rejects(second, (error) => isFailure(error, 'cancelled'));
  end('a');
  await first;
  const last = gate.run(work('d'), never());
  await turn();
  end('d');
  await last;
  assert.deepEqual(started, ['a', 'd']);
});

test('a caller that leaves is answered at once, and its place is free only when the work has ended', async () => {
  const { started, work, end } = openWork();
  const gate = createSearchGate(1, 1);
  const leaving = new AbortController();
  const first = gate.run(work('a'), leaving.signal);
  const second = gate.run(work('b'), never());
  leaving.abort();
  await assert.rejects(first, (error) => isFailure(error, 'cancelled'));
  await turn();
  assert.deepEqual(started, ['a']);
  end('a');
  await turn();
  end('b');
  assert.equal(await second, 'b');
});

test('work that fails frees its place', async () => {
  const gate = createSearchGate(1, 1);
  await assert.rejects(
    gate.run(() => Promise.reject(new Error('no')), never()),
    /no/,
  );
  assert.equal(await gate.run(() => Promise.resolve(1), never()), 1);
});
