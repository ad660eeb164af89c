import assert from 'node:assert/strict';
import { test } from 'node:test';
import { requestId, traceId } from '../../src/http/request-identity.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

test('a sane request id of the caller is kept', () => {
  for (const id of ['a', 'req-1', '01J8:trace/7=+@.x_', 'x'.repeat(128)]) {
    assert.equal(requestId({ headers: { 'x-request-id': id } }), id);
  }
});

test('a request id that is missing, long or would not fit a header or log is replaced', () => {
  for (const id of [undefined, '', 'x'.repeat(129), 'a b', 'a\nb', '日', 'a"b', ['a', 'b'] as never]) {
    assert.match(requestId({ headers: { 'x-request-id': id } }), UUID);
  }
});

test('the trace id is read from a valid traceparent only', () => {
  const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
  const parent = '00f067aa0ba902b7';
  assert.equal(traceId({ traceparent: `00-${trace}-${parent}-01` }), trace);
  assert.equal(traceId({ traceparent: `01-${trace}-${parent}-01-what-comes-later` }), trace);
  for (const bad of [
    undefined,
    '',
    `00-${trace}-${parent}-01-more`,
    `ff-${trace}-${parent}-01`,
    `00-${'0'.repeat(32)}-${parent}-01`,
    `00-${trace}-${'0'.repeat(16)}-01`,
    `00-${trace.toUpperCase()}-${parent}-01`,
    `00-${trace}-${parent}`,
  ]) {
    assert.equal(traceId({ traceparent: bad }), undefined);
  }
});
