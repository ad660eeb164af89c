import assert from 'node:assert/strict';
import { test } from 'node:test';
import { semanticPairOperations, towerOperations } from '../../../../loadtest/bench/growth/computed.ts';
import { uniclipSizes } from '../../../../loadtest/bench/prepared/model-sizes.ts';

const { text } = uniclipSizes('full');

test('a tower takes twice its weights a row, and what the rows take to look at each other', () => {
  const weights = 12 * 12 * 768 ** 2;
  assert.equal(towerOperations(text, 1), 2 * weights + 12 * 4 * 768);
  assert.ok(Math.abs(towerOperations(text, 12) / 2.04e9 - 1) < 0.01);
  assert.ok(Math.abs(towerOperations({ width: 768, layers: 12 }, 197) / 34.9e9 - 1) < 0.01);
});

test('a pair is mostly the keys and values of the image tokens', () => {
  const pair = semanticPairOperations({ width: 768, layers: 3 }, 20, 197);
  const keysAndValues = 3 * 2 * 2 * 197 * 768 ** 2;
  assert.ok(Math.abs(pair / 2.06e9 - 1) < 0.01);
  assert.ok(keysAndValues > pair / 2 && keysAndValues < pair);
});
