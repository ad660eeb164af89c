import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openService, sampleItems, type TestService } from '../../service.ts';

let service: TestService;
before(async () => {
  service = await openService();
  const [item] = await sampleItems(1);
  await service.call({ method: 'POST', url: '/index', payload: { items: [{ ...item, id: 'v/1' }] } });
});
after(() => service.close());

const put = (judgements: object[]) => service.call({ method: 'PUT', url: '/judgements', payload: { judgements } });
const list = async (query?: string) => {
  const { body } = await service.call({ url: '/judgements', ...(query === undefined ? {} : { query: { query } }) });
  return body.judgements.map(({ query: of, id, grade }: Record<string, unknown>) => [of, id, grade]);
};
const exported = (format: string) => service.call({ url: `/judgements/export?format=${format}` });

test('judgements are put, changed, listed by query and taken back', async () => {
  const made = await put([
    { query: ' 猫 ', id: 'v/1', grade: 2 },
    { query: '猫', id: 'v2', grade: 0 },
    { query: 'dog', id: 'v2', grade: 1 },
  ]);
  assert.deepEqual([made.status, made.body.created], [200, 3]);
  const again = await put([{ query: '猫', id: 'v2', grade: 1 }]);
  assert.deepEqual([again.body.created, again.body.updated], [0, 1]);
  assert.deepEqual(await list('猫'), [
    ['猫', 'v/1', 2],
    ['猫', 'v2', 1],
  ]);
  const { body } = await service.call({ url: '/judgements' });
  assert.deepEqual([body.total, body.queries, body.judgements.length], [3, 2, 3]);
  assert.equal(body.judgements[2].topic, 2);
  const few = (await service.call({ url: '/judgements?limit=1' })).body;
  assert.deepEqual([few.total, few.judgements.length], [3, 1]);
  assert.equal((await service.call({ url: '/judgements?limit=-1' })).status, 400);

  const take = () => service.call({ method: 'DELETE', url: '/judgements', query: { query: 'dog', id: 'v2' } });
  assert.equal((await take()).status, 200);
  assert.equal((await take()).status, 404);
  assert.deepEqual(await list('dog'), []);
  await put([{ query: 'dog', id: 'v2', grade: 1 }]);
});

test('what cannot be a judgement is told by path', async () => {
  for (const [judgement, path] of [
    [{ query: '猫', id: 'v', grade: 3 }, '/judgements/0/grade'],
    [{ query: '猫', id: 'v', grade: 0.5 }, '/judgements/0/grade'],
    [{ query: ' ', id: 'v', grade: 1 }, '/judgements/0/query'],
    [{ query: 'x'.repeat(1001), id: 'v', grade: 1 }, '/judgements/0/query'],
    [{ query: 'x', id: '字'.repeat(86), grade: 1 }, '/judgements/0/id'],
    [{ query: 'x', id: 'v' }, '/judgements/0/grade'],
    [{ query: 'x', id: 'v\ud800', grade: 1 }, '/judgements/0/id'],
    [{ query: '\udc01x', id: 'v', grade: 1 }, '/judgements/0/query'],
  ] as const) {
    const { status, body } = await put([judgement]);
    assert.equal(status, 400);
    assert.equal(body.errors[0].path, path);
  }
  assert.equal((await put([])).status, 400);
});

test('the export is a file of the format, with an address for every cover', async () => {
  const cbvs = await exported('cbvs');
  assert.match(String(cbvs.headers['content-disposition']), /attachment/);
  assert.equal(
    cbvs.text,
    '猫\tv/1\t/covers/v%2F1/image\t2\n猫\tv2\t/covers/v2/image\t1\ndog\tv2\t/covers/v2/image\t1\n',
  );
  assert.equal((await exported('trec')).text, '1 0 v/1 2\n1 0 v2 1\n2 0 v2 1\n');
  assert.equal((await exported('topics')).text, '1\t猫\n2\tdog\n');
  assert.equal((await exported('tsv')).text, '猫\tv/1\t2\n猫\tv2\t1\ndog\tv2\t1\n');
  assert.equal((await exported('json')).body.length, 3);
  assert.equal((await exported('xml')).status, 400);
  const one = await service.call({ url: '/judgements/export', query: { format: 'tsv', query: 'dog' } });
  assert.equal(one.text, 'dog\tv2\t1\n');
});

test('what one service exports another takes in, in every format', async (t) => {
  const topics = (await exported('topics')).text;
  for (const format of ['cbvs', 'trec', 'tsv', 'json']) {
    const other = await openService();
    t.after(() => other.close());
    const text = (await exported(format)).text;
    const { status, body } = await other.call({
      method: 'POST',
      url: '/judgements/import',
      payload: { text, ...(format === 'trec' ? { topics } : {}) },
    });
    assert.equal(status, 200);
    assert.deepEqual([body.format, body.created, body.problems], [format, 3, []]);
    assert.equal((await other.call({ url: '/judgements/export?format=cbvs' })).text.split('\n').length, 4);
  }
});

test('an import tells what it left out, and its own topics will do', async () => {
  const load = (payload: object) => service.call({ method: 'POST', url: '/judgements/import', payload });
  const { body } = await load({ text: `dog\tv9\t2\ndog\tv8\t7\ndog\n${'x'.repeat(1001)}\tv9\t1\n` });
  assert.equal(body.created, 1);
  assert.deepEqual(
    body.problems.map(({ problem, lines }: { problem: string; lines: number[] }) => [problem, lines]),
    [
      ['label_out_of_range', [2]],
      ['missing_columns', [3]],
      ['too_long', [4]],
    ],
  );
  assert.equal((await load({ text: '1 0 v9 2\n' })).body.created, 1);
  assert.deepEqual((await list('猫')).at(-1), ['猫', 'v9', 2]);
  assert.equal((await load({ text: 'nothing of the kind' })).status, 400);
  assert.equal((await load({ text: '99 0 v9 2\n' })).status, 400);
});

test('an import that has not the right form is told by path, small or large', async () => {
  const large = 'dog\tv9\t2\n'.repeat(30_000);
  for (const [payload, path] of [
    [{}, '/text'],
    [{ text: '' }, '/text'],
    [{ text: 7 }, '/text'],
    [{ text: [large] }, '/text'],
    [{ text: large, format: 'xml' }, '/format'],
    [{ text: large, topics: 7 }, '/topics'],
    [{ text: large, topics: '' }, '/topics'],
    [{ text: 'dog\tv9\t2\n', more: large }, '/more'],
    [{ text: large, ['x'.repeat(1000)]: 1 }, `/${'x'.repeat(64)}`],
  ] as const) {
    const { status, body } = await service.call({ method: 'POST', url: '/judgements/import', payload });
    assert.deepEqual([status, body.errors[0].path], [400, path]);
  }
  for (const payload of ['', 'null', '7', '[]', '{"text":', `["${large.replaceAll(/\s/g, ' ')}"]`]) {
    const headers = { 'content-type': 'application/json' };
    const { status } = await service.call({ method: 'POST', url: '/judgements/import', headers, payload });
    assert.equal(status, 400, payload.slice(0, 20));
  }
});

test('a large file is taken in as a small one is', async () => {
  const rows = Array.from({ length: 30_000 }, (_, row) => `many ${row % 100}\tw${row % 20_000}\t${row % 3}`);
  const { status, body } = await service.call({
    method: 'POST',
    url: '/judgements/import',
    payload: { text: `${rows.join('\n')}\nmany 0\n` },
  });
  assert.equal(status, 200);
  assert.deepEqual([body.format, body.created], ['tsv', 20_000]);
  const told = body.problems.map(({ problem, count }: { problem: string; count: number }) => [problem, count]);
  // 20,000 rows on, 20,000 mod 3 is 2: each repeated pair has another grade, and the last one counts.
  assert.deepEqual(told, [
    ['conflicting_label', 10_000],
    ['missing_columns', 1],
  ]);
  assert.deepEqual((await list('many 0'))[0], ['many 0', 'w0', 2]);
});

test('an id with a space is exported where the format can hold it, and refused where not', async () => {
  await put([{ query: 'space', id: 'a b', grade: 1 }]);
  assert.equal((await exported('trec')).status, 400);
  assert.match((await exported('tsv')).text, /^space\ta b\t1$/m);
});
