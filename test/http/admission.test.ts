import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isFailure } from '../../src/core/errors.ts';
import { createGate, type Gate, type Place } from '../../src/http/admission.ts';

const never = new AbortController().signal;

async function fill(gate: Gate, places: number): Promise<Place[]> {
  return Promise.all(Array.from({ length: places }, () => gate.enter(never)));
}

test('a gate lets its concurrency in, queues, and refuses the rest with a time to come back', async () => {
  const gate = createGate({ concurrency: 2, queue: 1 });
  const [first] = await fill(gate, 2);
  const waiting = gate.enter(never);
  assert.deepEqual([gate.running, gate.waiting], [2, 1]);

  await assert.rejects(gate.enter(never), (error) => {
    assert.ok(isFailure(error, 'overloaded'));
    assert.equal(error.status, 429);
    assert.ok((error.retryAfterSeconds ?? 0) >= 1 && (error.retryAfterSeconds ?? 0) <= 60);
    return true;
  });

  first?.leave();
  const place = await waiting;
  assert.ok(place.queuedMs >= 0);
  assert.deepEqual([gate.running, gate.waiting], [2, 0]);
});

test('places go to those who wait in order of arrival', async () => {
  const gate = createGate({ concurrency: 1, queue: 3 });
  const [held] = await fill(gate, 1);
  const order: number[] = [];
  const waiting = [1, 2, 3].map(async (number) => {
    const place = await gate.enter(never);
    order.push(number);
    place.leave();
  });
  held?.leave();
  await Promise.all(waiting);
  assert.deepEqual(order, [1, 2, 3]);
});

test('leaving twice frees one place only', async () => {
  const gate = createGate({ concurrency: 1, queue: 0 });
  const [place] = await fill(gate, 1);
  place?.leave();
  place?.leave();
  assert.equal(gate.running, 0);
  await gate.enter(never);
  await assert.rejects(gate.enter(never), (error) => isFailure(error, 'overloaded'));
});

test('who leaves the queue frees its slot and is told why', async () => {
  const gate = createGate({ concurrency: 1, queue: 1 });
  await fill(gate, 1);
  const client = new AbortController();
  const gone = gate.enter(client.signal);
  client.abort();
  await assert.rejects(gone, (error) => isFailure(error, 'cancelled'));
  assert.equal(gate.waiting, 0);

  const late = new AbortController();
  const expired = gate.enter(late.signal);
  late.abort(new DOMException('too late', 'TimeoutError'));
  await assert.rejects(expired, (error) => isFailure(error, 'deadline_exceeded'));
  assert.equal(gate.waiting, 0);
  await assert.rejects(gate.enter(client.signal), (error) => isFailure(error, 'cancelled'));
});

test('a wait has an end where the gate has one', async () => {
  const gate = createGate({ concurrency: 1, queue: 1, maxWaitMs: 5 });
  const [place] = await fill(gate, 1);
  await assert.rejects(gate.enter(never), (error) => isFailure(error, 'overloaded'));
  assert.deepEqual([gate.running, gate.waiting], [1, 0]);
  place?.leave();
  await gate.enter(never);
});

test('who would wait longer than it can is refused at once, by what requests took so far', async (t) => {
  let now = 0;
  t.mock.method(performance, 'now', () => now);
  const gate = createGate({ concurrency: 2, queue: 10 });
  await assert.doesNotReject(gate.enter(never, 0), 'a free place needs no patience');
  for (let round = 0; round < 100; round++) {
    const place = await gate.enter(never);
    now += 40;
    place.leave();
  }
  await fill(gate, 1);
  // Two places, 40 ms each: one is handed on every 20 ms.
  void gate.enter(never, 21);
  await assert.rejects(gate.enter(never, 39), (error) => isFailure(error, 'overloaded'));
  void gate.enter(never, 41);
  assert.deepEqual([gate.running, gate.waiting], [2, 2]);
});

test('a gate that yields starts one at a time while others wait at the one before it', async () => {
  const rank = createGate({ concurrency: 1, queue: 10 });
  const index = createGate({ concurrency: 4, queue: 10, yieldsTo: rank });
  const [ranking] = await fill(rank, 1);
  const rankWaiting = rank.enter(never);

  const [indexing] = await fill(index, 1);
  const second = index.enter(never);
  assert.deepEqual([index.running, index.waiting], [1, 1]);

  ranking?.leave();
  await rankWaiting;
  await second;
  assert.deepEqual([index.running, index.waiting], [2, 0]);
  indexing?.leave();
});

test('Retry-After grows with the queue and the measured service time', async (t) => {
  let now = 0;
  t.mock.method(performance, 'now', () => now);
  const gate = createGate({ concurrency: 1, queue: 3 });
  for (let round = 0; round < 100; round++) {
    const place = await gate.enter(never);
    now += 5000;
    place.leave();
  }
  await fill(gate, 1);
  for (let waiting = 0; waiting < 3; waiting++) void gate.enter(never);
  await assert.rejects(gate.enter(never), (error) => {
    assert.ok(isFailure(error));
    // Four to be served before it, 5 s each.
    assert.equal(error.retryAfterSeconds, 20);
    return true;
  });
});
