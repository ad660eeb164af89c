import assert from 'node:assert/strict';
import os from 'node:os';
import { test } from 'node:test';
import { partsShareCores } from '../../src/inference/model-parts.ts';

test('parts share cores when they have more threads than there are cores, and never on a GPU', () => {
  const cores = os.availableParallelism();
  const threads = { text: cores, image: 1, rerank: 1 };
  assert.equal(partsShareCores(['text', 'rerank'], { threads, device: 'cpu' }), true);
  assert.equal(partsShareCores(['text'], { threads, device: 'cpu' }), false);
  assert.equal(partsShareCores(['text', 'rerank'], { threads, device: 'cuda' }), false);
});
