import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { measureGraph } from '../../../../loadtest/bench/growth/graph.ts';
import { prepareDataFolder } from '../../../../loadtest/bench/prepared/data-folder.ts';
import { packageRoot } from '../../../../src/core/package-root.ts';

test('the saved graph of a prepared folder finds nearly all that a look at every cover finds', async (t) => {
  const cache = await mkdtemp(join(tmpdir(), 'coverrank-bench-'));
  t.after(() => rm(cache, { recursive: true, force: true }));
  const bundle = join(packageRoot, 'models', 'demo');
  const covers = 1500;
  const figures = await measureGraph(await prepareDataFolder({ cache, bundle, covers, withTokens: 0 }), covers);
  assert.ok((figures['recall_at_100'] ?? 0) > 0.95 && (figures['recall_at_100'] ?? 2) <= 1);
  assert.ok((figures['search_ms'] ?? 0) > 0);
  assert.ok((figures['insert_ms'] ?? 0) > 0);
});
