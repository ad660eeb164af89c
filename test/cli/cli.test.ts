import assert from 'node:assert/strict';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { packageRoot } from '../../src/core/package-root.ts';
import { readManifest } from '../../src/inference/bundle.ts';
import { weigh } from '../../src/ranking/fuse.ts';
import { runCoverrank as coverrank } from './coverrank.ts';

const SAMPLES = join(packageRoot, 'index', 'samples');

interface Hit {
  readonly id: string;
  readonly relevance_score: number;
}

const scored = ({ id, relevance_score }: Hit): [string, number] => [id, relevance_score];

async function newFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'coverrank-cli-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

function jsonLines(stdout: string): Record<string, unknown>[] {
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

test('help and version are fine, wrong use is 2, failure is 1', async () => {
  const [help, ofCommand, ofHelp, version, unknown, ofUnknown, option, missing, setting, failed] = await Promise.all([
    coverrank(['--help']),
    coverrank(['score', '--help']),
    coverrank(['help', 'score']),
    coverrank(['--version']),
    coverrank(['nonsense']),
    coverrank(['help', 'nonsense']),
    coverrank(['config', '--nonsense']),
    coverrank(['rank']),
    coverrank(['config', '--port', 'many']),
    coverrank(['encode', 'image', '/nowhere.png']),
  ]);
  assert.equal(help.code, 0);
  for (const name of ['serve', 'convert', 'index', 'rank', 'doctor'])
    assert.match(help.stdout, new RegExp(`^  ${name} `, 'm'));
  assert.equal(ofCommand.code, 0);
  assert.match(ofCommand.stdout, /--rerank-model/);
  assert.equal(ofHelp.stdout, ofCommand.stdout);
  assert.match(version.stdout, /^\d+\.\d+\.\d+\n$/);
  assert.deepEqual([unknown.code, ofUnknown.code, option.code, missing.code, setting.code], [2, 2, 2, 2, 2]);
  assert.match(unknown.stderr, /unknown command 'nonsense'/);
  assert.match(setting.stderr, /^coverrank: .*port.*\(flag --port\)/);
  assert.equal(failed.code, 1);
  assert.equal(failed.stderr, 'coverrank: /nowhere.png cannot be read: there is no such file.\n');
});

test('help loads no native library', async () => {
  const hook = 'process.on("exit", () => console.log(process.report.getReport().sharedObjects.join()))';
  const { stdout } = await coverrank(['--help'], {
    env: { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(hook)}` },
  });
  assert.match(stdout, /Usage: coverrank/);
  assert.doesNotMatch(stdout, /onnxruntime|hnswlib|addon\.node|sharp|lmdb/);
});

test('config tells where each value comes from', async (t) => {
  const folder = await newFolder(t);
  const file = join(folder, 'c.json');
  await writeFile(file, JSON.stringify({ port: 81, data_dir: 'here', limits: { rank_queue: 7 } }));
  const { stdout } = await coverrank(['config', '--json', '--config', file, '--port', '82'], {
    env: { COVERRANK_HOST: '::1' },
  });
  const [settings] = jsonLines(stdout);
  assert.deepEqual(settings?.['port'], { value: 82, origin: 'flag --port' });
  assert.deepEqual(settings?.['host'], { value: '::1', origin: 'environment COVERRANK_HOST' });
  assert.deepEqual(settings?.['limits.rank_queue'], { value: 7, origin: `file ${file}` });
  assert.deepEqual(settings?.['data_dir'], { value: join(folder, 'here'), origin: `file ${file}` });
  assert.deepEqual(settings?.['log_level'], { value: 'info', origin: 'default' });
});

test('encode and score agree with each other', async () => {
  const pictures = ['cover-0006.webp', 'cover-0002.webp'].map((name) => join(SAMPLES, name));
  const [texts, images, scores] = await Promise.all([
    coverrank(['encode', 'text', '--json', '--tokens'], { input: '麦克风\n\nwrench vlog' }),
    coverrank(['encode', 'image', '--json', ...pictures]),
    coverrank(['score', '--json', '--text', '麦克风', '--images', ...pictures]),
  ]);
  const text = jsonLines(texts.stdout);
  const image = jsonLines(images.stdout);
  assert.deepEqual(
    text.map(({ input }) => input),
    ['麦克风', '', 'wrench vlog'],
  );
  assert.deepEqual(
    image.map(({ input }) => input),
    pictures,
  );
  assert.deepEqual(text[1]?.['tokens'], [2, 3]); // [CLS] [SEP]
  const embedding = (row: Record<string, unknown> | undefined) => row?.['embedding'] as number[];
  const dot = (a: number[], b: number[]) => a.reduce((sum, value, position) => sum + value * (b[position] ?? 0), 0);
  for (const row of [...text, ...image]) assert.ok(Math.abs(dot(embedding(row), embedding(row)) - 1) < 1e-5);

  const pairs = jsonLines(scores.stdout);
  assert.deepEqual(
    pairs.map(({ text: t, image: i }) => [t, i]),
    [
      [0, 0],
      [0, 1],
    ],
  );
  const { fusion } = readManifest(join(packageRoot, 'models/demo'));
  for (const [position, { signals, relevance_score }] of pairs.entries()) {
    const { cosine, ocr_presence } = signals as Record<string, number>;
    // An int8 graph scales its activations over the whole batch: alone a text comes out a little differently.
    assert.ok(Math.abs((cosine ?? 0) - dot(embedding(text[0]), embedding(image[position]))) < 0.02);
    assert.equal(ocr_presence, image[position]?.['ocr_presence']);
    const { relevanceScore } = weigh(signals as Record<string, number>, fusion);
    assert.ok(Math.abs(Number(relevance_score) - relevanceScore) < 1e-9);
  }
  assert.ok(Number(pairs[0]?.['relevance_score']) > 0.25);
});

test('a folder is indexed, resumed, searched, verified, copied and restored', async (t) => {
  const folder = await newFolder(t);
  const covers = join(folder, 'covers');
  const data = ['--data-dir', join(folder, 'data')];
  await mkdir(covers);
  for (let number = 0; number < 12; number++) {
    const name = `cover-${String(number).padStart(4, '0')}.webp`;
    await copyFile(join(SAMPLES, name), join(covers, name));
  }
  await writeFile(join(covers, 'broken.png'), 'no picture');

  const indexed = await coverrank(['index', covers, '--json', ...data]);
  assert.equal(indexed.code, 3, indexed.stderr);
  const [counts] = jsonLines(indexed.stdout);
  assert.deepEqual([counts?.['items'], counts?.['created'], counts?.['failed']], [13, 12, 1]);
  assert.equal(counts?.['rejected_file'], `${covers}.rejected.ndjson`);
  const [rejected] = jsonLines(await readFile(`${covers}.rejected.ndjson`, 'utf8'));
  assert.deepEqual(rejected?.['item'], { id: 'broken', file: join('covers', 'broken.png') });
  assert.match(JSON.stringify(rejected?.['error']), /"code":"un\w+_image"/);

  // Mended, the rejected items are a source by themselves; the rest is not done again.
  await copyFile(join(SAMPLES, 'cover-0100.webp'), join(covers, 'broken.png'));
  const mended = await coverrank(['index', `${covers}.rejected.ndjson`, ...data]);
  assert.equal(mended.code, 0, mended.stderr);
  assert.match(mended.stdout, /^1 items .*: 1 created\n$/);
  const again = await coverrank(['index', covers, '--json', ...data]);
  assert.equal(again.code, 0);
  assert.equal(jsonLines(again.stdout)[0]?.['unchanged'], 13);

  const ranked = await coverrank(['rank', ' 麦克风 ', '--json', '--top-n', '3', ...data]);
  const [answer] = jsonLines(ranked.stdout) as { query: string; results: Hit[] }[];
  assert.equal(answer?.query, '麦克风');
  assert.match(answer?.results[0]?.id ?? '', /^cover-0006$/);
  const table = await coverrank(['rank', '麦克风', '--top-n', '3', '--rerank-k', '0', ...data]);
  assert.match(table.stdout, /│ +1 │ cover-0006 │ 0\.\d{4} │ recall │/);
  assert.match(table.stderr, /^3 covers in /);

  const verified = await coverrank(['verify', '--json', ...data]);
  assert.equal(verified.code, 0);
  assert.deepEqual([jsonLines(verified.stdout)[0]?.['covers'], jsonLines(verified.stdout)[0]?.['ok']], [13, true]);
  assert.equal((await coverrank(['rebuild', ...data])).code, 0);
  const snapshot = await coverrank(['snapshot', '--json', ...data]);
  const { path } = jsonLines(snapshot.stdout)[0] as { path: string };
  const restored = ['--data-dir', join(folder, 'restored')];
  assert.equal((await coverrank(['restore', path, ...restored])).code, 0);
  assert.match((await coverrank(['restore', path, ...restored])).stderr, /is not empty/);
  const fromCopy = await coverrank(['rank', '麦克风', '--json', '--top-n', '3', ...restored]);
  const [copied] = jsonLines(fromCopy.stdout) as (typeof answer)[];
  assert.deepEqual(copied?.results.map(scored), answer?.results.map(scored));
  // The clean second run has taken the file of rejected items away, and no run leaves its progress behind.
  assert.deepEqual((await readdir(folder)).sort(), ['covers', 'data', 'restored']);
});

test('key shows a key once, with what the configuration needs', async () => {
  const { stdout } = await coverrank(['key', '--json', '--name', 'job', '--scopes', 'rank', 'index']);
  const [made] = jsonLines(stdout) as { key: string; api_key: { hash: string; scopes: string[] } }[];
  assert.match(made?.key ?? '', /^crk_[\w-]{22}_[\w-]{43}$/);
  assert.deepEqual(made?.api_key.scopes, ['rank', 'index']);
  const config = await coverrank(['config', '--json', '--api-keys', JSON.stringify([made?.api_key])]);
  assert.equal(config.code, 0, config.stderr);
  assert.doesNotMatch(config.stdout, /scrypt:/);
});

test('doctor finds what stands in the way', async (t) => {
  const folder = await newFolder(t);
  for (const name of ['no-bundle', 'data']) await mkdir(join(folder, name));
  const good = await coverrank(['doctor', '--json', '--port', '0', '--data-dir', join(folder, 'data')]);
  const bad = await coverrank([
    'doctor',
    '--port',
    '0',
    '--model',
    join(folder, 'no-bundle'),
    '--data-dir',
    join(folder, 'd'),
    '--rerank-url',
    'http://127.0.0.1:1',
  ]);
  const [report] = jsonLines(good.stdout) as {
    ok: boolean;
    checks: { check: string; status: string; detail: string }[];
  }[];
  assert.equal(good.code, 0, good.stdout);
  assert.equal(report?.ok, true);
  assert.equal(report?.checks.find(({ check }) => check === 'model')?.status, 'ok');
  assert.match(report?.checks.find(({ check }) => check === 'data folder')?.detail ?? '', /is empty$/);
  assert.deepEqual(await readdir(join(folder, 'data')), []);
  assert.equal(bad.code, 1);
  assert.match(bad.stdout, /^fail {2}model .*no bundle\.json/m);
  assert.match(bad.stdout, /^fail {2}rerank_url/m);
});

test('demo shows rankings of the sample covers', async (t) => {
  const folder = await newFolder(t);
  const { code, stdout, stderr } = await coverrank([
    'demo',
    '--exit',
    '--port',
    '0',
    '--data-dir',
    join(folder, 'data'),
  ]);
  assert.equal(code, 0, stderr);
  assert.match(stderr, /800 covers in /);
  assert.match(stdout, /向日葵\n(?:.*\n){3}│ +1 │ cover-0[15]25 /);
  assert.match(stdout, /可爱的熊猫\n(?:.*\n){3}│ +1 │ cover-0227 .*Panda Story/);
});

test('encode goes on after a picture that it cannot read, and says so', async (t) => {
  const bad = join(await newFolder(t), 'bad.png');
  await writeFile(bad, 'no picture');
  const good = ['cover-0001.webp', 'cover-0002.webp'].map((name) => join(SAMPLES, name));
  const [some, none] = await Promise.all([
    coverrank(['encode', 'image', '--json', good[0] ?? '', bad, '/nowhere.png', good[1] ?? '']),
    coverrank(['encode', 'image', '--json', bad]),
  ]);
  assert.equal(some.code, 3);
  assert.deepEqual(
    jsonLines(some.stdout).map(({ input }) => input),
    good,
  );
  assert.match(some.stderr, /bad\.png: The image type is not supported/);
  assert.match(some.stderr, /nowhere\.png cannot be read/);
  assert.equal(none.code, 1);
});
