import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type BrownOut, createBrownOut } from '../../src/http/brown-out.ts';

function withClock() {
  let nowMs = 0;
  const brownOut = createBrownOut(() => nowMs);
  return {
    brownOut,
    /** Ten requests in each interval of 100 ms, waiting as long as `waits` says of the share that they get. */
    run(intervals: number, waits: (share: number) => number): number {
      for (let request = 0; request < 10 * intervals; request++) {
        brownOut.admit(waits(brownOut.share));
        nowMs += 10;
      }
      return brownOut.share;
    },
    pass(ms: number): void {
      nowMs += ms;
    },
  };
}

/** The wait of a queue that a load of `load` times the capacity would bring about, if all of it went into reranking. */
const overload = (load: number) => (share: number) => (load * share > 1 ? 0.5 : 0);

function meanShare(brownOut: { run: ReturnType<typeof withClock>['run'] }, waits: (share: number) => number): number {
  brownOut.run(50, waits);
  const shares = Array.from({ length: 200 }, () => brownOut.run(1, waits));
  return shares.reduce((sum, share) => sum + share, 0) / shares.length;
}

test('without a queue everything is reranked', () => {
  const { run } = withClock();
  assert.equal(
    run(20, () => 0),
    1,
  );
  assert.equal(
    run(20, () => 0.19),
    1,
  );
});

test('a burst that drains within an interval costs nothing', () => {
  const { brownOut, run } = withClock();
  let request = 0;
  const bursts = () => (request++ % 10 < 9 ? 0.6 : 0);
  assert.equal(run(30, bursts), 1);
  assert.equal(brownOut.admit(0.6), 1);
});

test('the share settles about where the load can be carried, the lower the higher the load', () => {
  for (const load of [1.5, 2, 5]) {
    const mean = meanShare(withClock(), overload(load));
    assert.ok(mean > 0.6 / load && mean < 1.2 / load, `${load} times the capacity: ${mean}`);
  }
});

test('it never falls to nothing, and comes back when the queue is gone or nobody calls', () => {
  const { brownOut, run, pass } = withClock();
  assert.equal(
    run(100, () => 0.9),
    1 / 16,
  );
  const afterOne: number = run(1, () => 0);
  assert.ok(afterOne > 1 / 16 && afterOne < 0.2);
  pass(2000);
  assert.equal((brownOut satisfies BrownOut).share, 1);
});
