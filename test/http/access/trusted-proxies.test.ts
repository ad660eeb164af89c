import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isFailure } from '../../../src/core/errors.ts';
import { trustedProxies } from '../../../src/http/access/trusted-proxies.ts';

test('addresses, ranges and the names of ranges are believed, none is nobody', () => {
  const entries = ['127.0.0.1', '10.0.0.0/8', '10.0.0.0/255.0.0.0', '::1', 'fd00::/8', 'loopback'];
  assert.deepEqual(trustedProxies(entries), entries);
  assert.equal(trustedProxies([]), false);
});

test('anything else is refused by name before the service starts', () => {
  for (const entry of ['foo', '10.0.0.0/33', '10.0.0.0/0', 'fd00::/129', '10.0.0.0/8/8', '*', '10.0.0.1:80']) {
    assert.throws(
      () => trustedProxies([entry]),
      (error) => isFailure(error, 'invalid_config') && error.message.includes(`trust_proxy: ${entry} `),
    );
  }
});
