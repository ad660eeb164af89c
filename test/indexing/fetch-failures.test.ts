import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ErrorCode, failure, isFailure } from '../../src/core/errors.ts';
import { createFetchFailures } from '../../src/indexing/fetch-failures.ts';

function withClock(skipMs = 1000, random = () => 0.5) {
  let nowMs = 1;
  const failures = createFetchFailures({ skipMs, now: () => nowMs, random });
  const isSkipped = (address: string): boolean => {
    try {
      failures.check(new URL(address));
      return false;
    } catch (error) {
      assert.ok(isFailure(error, 'fetch_skipped'));
      assert.ok(error.retryable);
      return true;
    }
  };
  const fail = (address: string, code: ErrorCode, retryAfterSeconds?: number) =>
    failures.failed(new URL(address), failure(code, '', retryAfterSeconds === undefined ? {} : { retryAfterSeconds }));
  return { failures, isSkipped, fail, pass: (ms: number) => (nowMs += ms) };
}

test('a lasting refusal is remembered for its address alone, and for a while', () => {
  const { fail, isSkipped, pass } = withClock();
  for (const code of ['fetch_refused', 'unsupported_image', 'too_large'] as const)
    fail(`http://a.example/${code}`, code);
  assert.ok(isSkipped('http://a.example/fetch_refused'));
  assert.ok(isSkipped('http://a.example/too_large'));
  assert.ok(!isSkipped('http://a.example/other'));
  pass(999);
  assert.ok(isSkipped('http://a.example/fetch_refused'));
  pass(2);
  assert.ok(!isSkipped('http://a.example/fetch_refused'));
});

test('a host is left alone after three failures in a row, and one more renews that', () => {
  const { failures, fail, isSkipped, pass } = withClock();
  const address = 'http://a.example:81/x';
  fail(address, 'fetch_failed');
  fail(address, 'fetch_failed');
  failures.succeeded(new URL(address));
  fail(address, 'fetch_failed');
  fail(address, 'fetch_failed');
  assert.ok(!isSkipped(address));
  fail(address, 'fetch_failed');
  assert.ok(isSkipped('http://a.example:81/y'));
  assert.ok(!isSkipped('http://a.example/y'), 'another port is another host');
  pass(1001);
  assert.ok(!isSkipped(address));
  fail(address, 'fetch_failed');
  assert.ok(isSkipped(address));
});

test('a host gets the time that it asks for, up to five minutes', () => {
  const { fail, isSkipped, pass } = withClock();
  fail('http://a.example/', 'fetch_failed', 7);
  pass(6999);
  assert.ok(isSkipped('http://a.example/'));
  pass(2);
  assert.ok(!isSkipped('http://a.example/'));
  fail('http://a.example/', 'fetch_failed', 999_999);
  pass(300_001);
  assert.ok(!isSkipped('http://a.example/'));
});

test('a host that asks for no time at all is held to have failed, once', () => {
  const { fail, isSkipped, pass } = withClock();
  fail('http://a.example/', 'fetch_failed', 0);
  fail('http://a.example/', 'fetch_failed', 0);
  assert.ok(!isSkipped('http://a.example/'));
  fail('http://a.example/', 'fetch_failed', 0);
  assert.ok(isSkipped('http://a.example/'));
  pass(1001);
  assert.ok(!isSkipped('http://a.example/'));
});

test('what is nobody’s fault is not held against anybody', () => {
  const { fail, isSkipped } = withClock();
  for (const code of ['cancelled', 'deadline_exceeded', 'fetch_forbidden', 'fetch_skipped'] as const) {
    for (let time = 0; time < 5; time++) fail('http://a.example/', code);
  }
  assert.ok(!isSkipped('http://a.example/'));
});

test('times differ, and with none nothing is remembered', () => {
  const early = withClock(1000, () => 0);
  const late = withClock(1000, () => 1);
  for (const { fail, pass } of [early, late]) {
    fail('http://a.example/', 'fetch_refused');
    pass(1000);
  }
  assert.deepEqual([early.isSkipped('http://a.example/'), late.isSkipped('http://a.example/')], [false, true]);
  const never = withClock(0);
  for (let time = 0; time < 5; time++) never.fail('http://a.example/', 'fetch_failed', 60);
  never.fail('http://a.example/', 'fetch_refused');
  assert.ok(!never.isSkipped('http://a.example/'));
});

test('what is remembered is bounded', () => {
  const { fail, isSkipped } = withClock();
  for (let number = 0; number < 10_100; number++) fail(`http://a.example/${number}`, 'fetch_refused');
  assert.ok(!isSkipped('http://a.example/0'));
  assert.ok(isSkipped('http://a.example/10099'));
});
