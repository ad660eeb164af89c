import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { packageRoot } from '../../../src/core/package-root.ts';
import { FIXTURES } from '../../eval/fixtures.ts';
import { coverrank } from '../coverrank.ts';

const SAMPLES = join(packageRoot, 'index', 'samples');
const PREDICTIONS = join(FIXTURES, 'predictions.tsv');

async function newFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'coverrank-eval-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

test('a file of predictions alone: figures, counts, a report, and a gate that it passes', async (t) => {
  const folder = await newFolder(t);
  const page = join(folder, 'report.html');
  const expected = JSON.parse(await readFile(join(FIXTURES, 'predictions.expected.json'), 'utf8'));

  const first = await coverrank('eval', 'cbvs20k', '--scores', PREDICTIONS, '--report', page, '--json');
  assert.equal(first.code, 0, first.stderr);
  const answer = JSON.parse(first.stdout);
  for (const [name, value] of Object.entries<number>(expected.metrics)) {
    assert.ok(Math.abs(answer[name] - value) < 1e-12, name);
    assert.ok(answer.intervals[name][0] <= value && value <= answer.intervals[name][1], name);
  }
  assert.deepEqual(answer.pairs, { right: expected.right, wrong: expected.wrong, tied: expected.tied });
  assert.equal(answer.problems[0].problem, 'duplicate_pair');
  assert.deepEqual(answer.written, [page, join(folder, 'report.json')]);
  assert.match(await readFile(page, 'utf8'), /<h1>Ranking evaluation: predictions.tsv<\/h1>/);

  const again = await coverrank('eval', 'cbvs20k', '--scores', PREDICTIONS, '--gate', join(folder, 'report.json'));
  assert.equal(again.code, 0);
  assert.match(again.stdout, /no metric fell by more than its noise/);
});

test('a gate fails when metrics fell, and compare says by how much', async (t) => {
  const folder = await newFolder(t);
  const worse = join(folder, 'worse.tsv');
  const rows = (await readFile(PREDICTIONS, 'utf8')).trimEnd().split('\n');
  const upsideDown = rows.map((row) => row.replace(/[^\t]+$/, (score) => String(-Number(score))));
  await writeFile(worse, `${upsideDown.join('\n')}\n`);
  await coverrank('eval', 'cbvs20k', '--scores', PREDICTIONS, '--report', join(folder, 'good.html'));

  const [gated, compared] = await Promise.all([
    coverrank('eval', 'cbvs20k', '--scores', worse, '--gate', join(folder, 'good.json')),
    coverrank('compare', PREDICTIONS, worse, '--json', '--report', join(folder, 'compared.html')),
  ]);
  assert.equal(gated.code, 1);
  assert.match(gated.stderr, /^fell: ndcg@10 from 0\.8619 to 0\.\d{4} \(interval of the difference -/m);

  const overwriting = ['--report', join(folder, 'good.html'), '--gate', join(folder, 'good.json')];
  const same = await coverrank('eval', 'cbvs20k', '--scores', worse, ...overwriting);
  assert.equal(same.code, 1, 'the baseline is what was there before the report went to the same file');

  assert.equal(compared.code, 0);
  const { metrics, lost, rows: shared } = JSON.parse(compared.stdout);
  assert.equal(shared, rows.length);
  assert.ok(metrics['ndcg@10'].interval[1] < 0 && metrics['ndcg@10'].p_value < 0.01);
  assert.ok(lost[0].after < lost[0].before);
  assert.match(await readFile(join(folder, 'compared.html'), 'utf8'), /is worse than predictions\.tsv/);
});

test('a bundle on pictures: predictions that evaluate to the same figures', async (t) => {
  const folder = await newFolder(t);
  const data = join(folder, 'qrels.tsv');
  const queries = ['有趣的麦克风', '有趣的键盘', 'watch keyboard'];
  const judged = (await readFile(join(SAMPLES, 'qrels.tsv'), 'utf8'))
    .split('\n')
    .filter((row) => queries.includes(row.split('\t')[0] ?? ''));
  // A folder of its own, so that there are few pictures to encode.
  await writeFile(data, `${judged.join('\n')}\n有趣的麦克风\tcover-0002\t0\n有趣的键盘\tcover-0000\t0\n`);
  const out = join(folder, 'predictions.tsv');
  const cache = join(folder, 'cache');
  const page = join(folder, 'report.html');
  const bundle = await coverrank(
    ...['eval', 'judgements', '--data', data, '--images', SAMPLES, '--out', out, '--cache', cache],
    ...['--fusion', '{"cosine":1,"ocr_match":0.1}', '--report', page, '--json'],
  );
  assert.equal(bundle.code, 0, bundle.stderr);
  const answer = JSON.parse(bundle.stdout);
  assert.ok(answer['r@10.any2'] > 0.9, 'the demo bundle finds what it knows');
  const html = await readFile(page, 'utf8');
  assert.ok(html.includes('data:image/webp;base64,'));
  assert.ok(html.includes('Gain over cosine alone by slice'));

  const scores = JSON.parse((await coverrank('eval', 'cbvs20k', '--scores', out, '--json')).stdout);
  for (const name of ['pnr', 'ndcg@10', 'map']) assert.ok(Math.abs(scores[name] - answer[name]) < 1e-12, name);
});

test('the covers of an index: scored as the service does, those that it lacks named and left out', async (t) => {
  const folder = await newFolder(t);
  const items = ['cover-0006', 'cover-0406', 'cover-0002'].map((id) => `${id}\t${join(SAMPLES, `${id}.webp`)}`);
  await writeFile(join(folder, 'items.tsv'), `${items.join('\n')}\n`);
  const data = join(folder, 'qrels.tsv');
  const rows = ['麦克风\tcover-0006\t2', '麦克风\tcover-0406\t2', '麦克风\tcover-0002\t0', '麦克风\tcover-0009\t1'];
  await writeFile(data, `${rows.join('\n')}\n`);
  const index = join(folder, 'data');
  const indexed = await coverrank('index', join(folder, 'items.tsv'), '--root', SAMPLES, '--data-dir', index);
  assert.equal(indexed.code, 0, indexed.stderr);

  const out = join(folder, 'predictions.tsv');
  const { code, stdout, stderr } = await coverrank(
    ...['eval', 'judgements', '--data', data, '--indexed', '--data-dir', index, '--out', out, '--json'],
  );
  assert.equal(code, 0, stderr);
  const answer = JSON.parse(stdout);
  assert.deepEqual([answer.rows, answer['ndcg@1'], answer.map], [3, 1, 1]);
  assert.match(stderr, /no picture of cover-0009: There is no cover with this id/);
  assert.equal((await readFile(out, 'utf8')).split('\n').length, 4);
});

test('matching and retrieval from files of scores', async (t) => {
  const folder = await newFolder(t);
  const pairs = join(folder, 'pairs.tsv');
  await writeFile(pairs, '1\ta\tx.jpg\t0.9\n0\tb\tx.jpg\t0.4\n1\tc\ty.jpg\t0.3\n0\td\ty.jpg\t0.1\n7\te\tz.jpg\t1\n');
  const captions = join(folder, 'captions.tsv');
  await writeFile(captions, '1#0\tone\n1#1\tother\n2#0\ttwo\n');
  const matrix = join(folder, 'scores.npy');
  await writeFile(matrix, npy([2, 3], [0.9, 0.1, 0.5, 0.2, 0.3, 0.4]));

  const [matching, retrieval, misfit] = await Promise.all([
    coverrank('eval', 'matching', '--scores', pairs, '--json', '--report', join(folder, 'm.html')),
    coverrank(
      'eval',
      'retrieval',
      '--data',
      captions,
      '--scores',
      matrix,
      '--json',
      '--report',
      join(folder, 'r.html'),
    ),
    coverrank('eval', 'retrieval', '--data', pairs, '--scores', matrix),
  ]);
  const matched = JSON.parse(matching.stdout);
  assert.deepEqual([matched.auc, matched.accuracy, matched.pairs, matched.matching], [0.75, 0.75, 4, 2]);
  assert.deepEqual(matched.problems[0].lines, [5]);

  const retrieved = JSON.parse(retrieval.stdout);
  assert.equal(retrieved['i2t_r@1'], 100);
  assert.equal(Math.round(retrieved['t2i_r@1']), 33);
  assert.equal(retrieved['t2i_r@5'], 100);
  for (const name of ['m', 'r']) assert.doesNotMatch(await readFile(join(folder, `${name}.html`), 'utf8'), /NaN/);
  assert.equal(misfit.code, 1);
});

test('wrong use is told', async () => {
  const [nothing, both, noData, missing] = await Promise.all([
    coverrank('eval', 'cbvs20k'),
    coverrank('eval', 'cbvs20k', '--scores', PREDICTIONS, '--images', SAMPLES),
    coverrank('eval', 'cbvs20k', '--images', SAMPLES),
    coverrank('eval', 'cbvs20k', '--scores', '/nowhere.tsv'),
  ]);
  assert.deepEqual([nothing.code, both.code, noData.code, missing.code], [2, 2, 2, 1]);
  assert.match(missing.stderr, /nowhere\.tsv cannot be read: there is no such file/);
});

/** A .npy file of float32 in C order. */
function npy(shape: readonly number[], values: readonly number[]): Buffer {
  const fields = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.join(', ')}), }`;
  const header = `${fields.padEnd(117)}\n`;
  const start = Buffer.from([0x93, ...Buffer.from('NUMPY'), 1, 0, header.length & 0xff, header.length >> 8]);
  return Buffer.concat([start, Buffer.from(header), Buffer.from(Float32Array.from(values).buffer)]);
}
