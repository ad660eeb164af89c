/**
 * Writes covers until it is killed. Says on stdout what it is about to delete and what was acknowledged:
 * `created N`, `deleting N`, `deleted N`.
 */
import { writeSync } from 'node:fs';
import { openSample, randomEmbedding, randomNumbers, upsert } from './sample-covers.ts';

const [dataDir, first] = process.argv.slice(2) as [string, string];
const index = await openSample(dataDir, { snapshotEveryWrites: 60 });
const say = (line: string): void => void writeSync(1, `${line}\n`);
say('ready');

for (let n = Number(first); ; n++) {
  const cover = { id: `cover-${n}`, embedding: randomEmbedding(randomNumbers(n)) };
  const created = index.write([upsert(cover)]).durable.then(() => say(`created ${n}`));
  if (n % 3 === 2) {
    await created;
    const victim = n - 1;
    say(`deleting ${victim}`);
    await index.write([{ op: 'delete', id: `cover-${victim}` }]).durable;
    say(`deleted ${victim}`);
  }
}
