import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isFailure } from '../../src/core/errors.ts';
import { createAddressPolicy, isPublicAddress } from '../../src/indexing/address-policy.ts';

test('special-purpose addresses are not public', () => {
  const special = [
    ...['0.0.0.0', '10.1.2.3', '100.64.0.1', '100.127.255.255', '127.0.0.1', '127.255.255.254', '169.254.169.254'],
    ...['172.16.0.1', '172.31.255.255', '192.0.0.8', '192.0.2.1', '192.88.99.1', '192.168.1.1', '198.18.0.1'],
    ...['198.19.255.255', '198.51.100.7', '203.0.113.9', '224.0.0.1', '240.0.0.1', '255.255.255.255'],
    ...['::', '::1', '::7f00:1', '::ffff:127.0.0.1', '::ffff:8.8.8.8', '64:ff9b::808:808', 'fc00::1', 'fe80::1'],
    ...['ff02::1', '2001::1', '2001:1ff::1', '2001:db8::1', '2002:7f00:1::', 'localhost', ''],
  ];
  for (const address of special) assert.equal(isPublicAddress(address), false, address);
});

test('the rest of the internet is public', () => {
  const open = [
    '8.8.8.8',
    '100.63.255.255',
    '172.32.0.1',
    '192.0.1.1',
    '223.255.255.255',
    '2606:4700::1',
    '2400:cb00::1',
  ];
  for (const address of open) assert.equal(isPublicAddress(address), true, address);
});

test('without an allow-list names may be tried on ports 80 and 443, literals only when public', () => {
  const policy = createAddressPolicy([]);
  const rule = policy.targetRule('images.example', 443);
  assert.equal(rule?.('8.8.8.8'), true);
  assert.equal(rule?.('127.0.0.1'), false);
  assert.equal(policy.targetRule('images.example', 8080), undefined);
  assert.equal(policy.targetRule('8.8.8.8', 8080), undefined);
  assert.equal(policy.targetRule('127.0.0.1', 80), undefined);
  assert.equal(policy.targetRule('[::1]', 80), undefined);
  assert.ok(policy.targetRule('8.8.8.8', 80));
});

test('a host entry opens that host on every port, host:port on one', () => {
  const policy = createAddressPolicy(['CDN.internal', 'img.internal:9000']);
  assert.equal(policy.targetRule('cdn.internal', 9999)?.('10.0.0.1'), true);
  assert.equal(policy.targetRule('cdn.internal.', 80)?.('10.0.0.1'), true);
  assert.equal(policy.targetRule('img.internal', 9000)?.('10.0.0.1'), true);
  assert.equal(policy.targetRule('img.internal', 9001), undefined);
  assert.equal(policy.targetRule('img.internal', 80)?.('10.0.0.1'), false);
  assert.equal(policy.targetRule('evil-cdn.internal', 80)?.('10.0.0.1'), false);
});

test('an address or range also admits names that resolve into it, and nothing beside it', () => {
  const policy = createAddressPolicy(['10.2.0.0/16', '127.0.0.1:9000', '[fd00::7]:81', 'fd12::/16']);
  assert.equal(policy.targetRule('cdn.internal', 8080)?.('10.2.3.4'), true);
  assert.equal(policy.targetRule('cdn.internal', 8080)?.('10.3.3.4'), false);
  assert.equal(policy.targetRule('cdn.internal', 8080)?.('8.8.8.8'), false);
  assert.ok(policy.targetRule('127.0.0.1', 9000));
  assert.equal(policy.targetRule('127.0.0.1', 9001), undefined);
  assert.equal(policy.targetRule('127.0.0.2', 9000), undefined);
  assert.ok(policy.targetRule('[fd00::7]', 81));
  assert.ok(policy.targetRule('[fd12::1]', 81));
  assert.equal(policy.targetRule('[fd13::1]', 81), undefined);
});

test('an entry that is none of these is refused', () => {
  for (const entry of ['', 'http://x/', 'x/y', '10.0.0.0/33', 'x:99999', 'a b', 'user@host', '10.0.0.0/8/8', '*.cdn']) {
    assert.throws(
      () => createAddressPolicy([entry]),
      (error) => isFailure(error, 'invalid_config'),
      entry,
    );
  }
});
