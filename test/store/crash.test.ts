import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import test from 'node:test';
import { never, openSample, randomEmbedding, randomNumbers, temporaryFolder } from './sample-covers.ts';

const CYCLES = 4;

test('nothing acknowledged is lost to kill -9, and what was deleted stays deleted', async (t) => {
  const dataDir = temporaryFolder(t);
  const held = new Set<number>();
  const gone = new Set<number>();
  let next = 0;
  for (let cycle = 0; cycle < CYCLES; cycle++) {
    const lines = await writeUntilKilled(dataDir, next, 40 + 70 * cycle);
    for (const line of lines) {
      const [word, number] = line.split(' ');
      if (number === undefined) continue;
      const n = Number(number);
      if (word === 'created') held.add(n);
      // From here on until it is acknowledged it may be there or not.
      if (word === 'deleting') held.delete(n);
      if (word === 'deleted') gone.add(n);
      next = Math.max(next, n + 10);
    }
    await checkAfterCrash(dataDir, held, gone);
  }
  assert.ok(held.size > 200 && gone.size > 100, `${held.size} held, ${gone.size} deleted`);
});

/** Lines of a child that was killed once it had said `count` of them. */
async function writeUntilKilled(dataDir: string, first: number, count: number): Promise<string[]> {
  const script = join(import.meta.dirname, 'crash-writer.js');
  const child = spawn(process.execPath, [script, dataDir, String(first)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = new Promise<string | null>((resolve) => {
    child.on('exit', (_code, signal) => resolve(signal));
  });
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line);
    if (lines.length === count) child.kill('SIGKILL');
  }
  assert.equal(await exited, 'SIGKILL');
  return lines;
}

async function checkAfterCrash(dataDir: string, held: ReadonlySet<number>, gone: ReadonlySet<number>): Promise<void> {
  const index = await openSample(dataDir);
  try {
    for (const n of held) {
      const { neighbors } = await index.recall({ embedding: randomEmbedding(randomNumbers(n)), k: 1 }, never());
      assert.equal(neighbors[0]?.id, `cover-${n}`);
      assert.ok(Math.abs(neighbors[0].cosine - 1) < 1e-5);
      assert.equal(index.get(`cover-${n}`)?.title, `title of cover-${n}`);
    }
    for (const n of gone) assert.equal(index.get(`cover-${n}`), undefined);
    const { covers, graph, sequence } = index.status();
    assert.equal(graph.sequence, sequence);
    // Every cover can be found: no more and no fewer.
    const all = await index.recall({ embedding: randomEmbedding(randomNumbers(1)), k: 10_000 }, never());
    assert.equal(all.neighbors.length, covers);
    assert.ok(covers >= held.size);
  } finally {
    await index.close();
  }
}
