import assert from 'node:assert/strict';
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { packageRoot } from '../../../src/core/package-root.ts';
import { coverrank } from '../coverrank.ts';

const SAMPLES = join(packageRoot, 'index', 'samples');
const COVERS = 24;

test('tune writes weights that the configuration takes, and never over a file', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'coverrank-tune-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const images = join(folder, 'images');
  await mkdir(images);
  const ids = new Set(Array.from({ length: COVERS }, (_, number) => `cover-${String(number).padStart(4, '0')}`));
  for (const id of ids) await copyFile(join(SAMPLES, `${id}.webp`), join(images, `${id}.webp`));
  const data = join(folder, 'qrels.tsv');
  const rows = (await readFile(join(SAMPLES, 'qrels.tsv'), 'utf8')).split('\n');
  await writeFile(data, rows.filter((row) => ids.has(row.split('\t')[1] ?? '')).join('\n'));

  const block = join(folder, 'fusion.json');
  const run = [
    'tune',
    '--data',
    data,
    '--images',
    images,
    '--unjudged',
    String(COVERS),
    '--cache',
    join(folder, 'cache'),
    '--json',
  ];
  const tuned = await coverrank(...run, '--out', block, '--calibrate', '--report', join(folder, 'tune.html'));
  assert.equal(tuned.code, 0, tuned.stderr);
  const answer = JSON.parse(tuned.stdout);
  assert.deepEqual(JSON.parse(await readFile(block, 'utf8')), { fusion: answer.fusion });
  assert.equal(answer.fusion.cosine, 1);
  assert.equal(answer.fold_fusion.length, 5);
  const { gain, interval } = answer.held_out['ndcg@10'];
  assert.ok(interval[0] <= gain && gain <= interval[1]);
  assert.equal(answer.significant, interval[0] > 0);
  assert.ok(Number.isFinite(answer.calibration.slope));
  assert.match(await readFile(join(folder, 'tune.html'), 'utf8'), /data:image\/webp|Held-out gain/);

  const [again, config, unknown] = await Promise.all([
    coverrank(...run, '--out', block),
    coverrank('config', '--config', block, '--json'),
    coverrank(...run, '--signals', 'cosine', 'itm_text'),
  ]);
  assert.equal(again.code, 1);
  assert.match(again.stderr, /fusion\.json cannot be written: it exists/);
  assert.deepEqual(JSON.parse(config.stdout).fusion.value, answer.fusion);
  assert.match(unknown.stderr, /no itm_text/);
});
