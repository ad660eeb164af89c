import assert from 'node:assert/strict';
import { appendFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { packageRoot } from '../../../src/core/package-root.ts';
import { readCaptions } from '../../../src/eval/judgements/captions.ts';
import { readJudgements } from '../../../src/eval/judgements/judgements.ts';
import { retrievalFigures } from '../../../src/eval/metrics/retrieval.ts';
import { openPictureFolder } from '../../../src/eval/pictures/folder.ts';
import type { EvaluatedModel } from '../../../src/eval/scoring/evaluated-model.ts';
import { hashPicture, openScoreCache } from '../../../src/eval/scoring/score-cache.ts';
import { rankCaptions, scoreCaptions } from '../../../src/eval/scoring/score-captions.ts';
import { galleryCosines, scoreJudgements } from '../../../src/eval/scoring/score-judgements.ts';
import { signalTable, weighSignals } from '../../../src/eval/scoring/signal-table.ts';
import { signalsOf, weigh } from '../../../src/ranking/fuse.ts';
import { type ExactFeatures, type OfflineModel, openOfflineModel } from '../../../src/services.ts';
import { bytesOf } from '../fixtures.ts';

const SAMPLES = join(packageRoot, 'index', 'samples');
const JUDGED = [
  '麦克风\tcover-0000\t2',
  '麦克风\tcover-0002\t0',
  '驼鹿\tcover-0002\t2',
  '驼鹿\tnowhere\t1',
  '山羊\tnowhere\t2',
].join('\n');

let model: OfflineModel;
let folder: string;
/** Pictures that the model was asked to encode, and texts that its cross-encoder was. */
const asked = { pictures: 0, texts: [] as string[] };

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'coverrank-eval-'));
  model = await openOfflineModel(join(packageRoot, 'models', 'demo'), { maxPixels: 1_000_000 });
});
after(async () => {
  await model.close();
  await rm(folder, { recursive: true, force: true });
});

/** The demo bundle, counting what it is asked. */
function counted(): EvaluatedModel<ExactFeatures> {
  const { manifest } = model.bundle;
  return {
    name: manifest.name,
    hash: manifest.hash,
    embeddingDim: manifest.embedding_dim,
    hasCrossEncoder: true,
    encodeTexts: model.encodeTexts,
    encodePicture(bytes) {
      asked.pictures += 1;
      return model.encodePicture(bytes);
    },
    encodeBlank: async () =>
      (await model.encodePixels(new Float32Array(3 * manifest.image.size ** 2), 1))[0] as ExactFeatures,
    crossScore(text, pictures) {
      asked.texts.push(text);
      return model.crossScore(text, pictures);
    },
  };
}

async function scoreAll(cacheFolder: string | undefined, options = {}) {
  Object.assign(asked, { pictures: 0, texts: [] });
  const cached = { model: counted(), cache: await openScoreCache(cacheFolder, model.bundle.manifest.hash) };
  return scoreJudgements(
    readJudgements(bytesOf(JUDGED), 'judged', { maxLabel: 2 }).pairs,
    { unjudged: 0, missing: 'blank', ...options },
    { recall: cached, rerank: cached, pictures: await openPictureFolder(SAMPLES), signalsOf },
  );
}

test('signals of judged pairs are those of the bundle, and a cover without a picture is scored as a blank one', async () => {
  const { pairs, signals, gallery } = await scoreAll(undefined);
  assert.deepEqual(signals.names, ['cosine', 'ocr_presence', 'ocr_semantic', 'itm', 'ocr_match']);
  assert.deepEqual([...pairs.label], [2, 0, 2, 1, 2]);
  assert.deepEqual(gallery.missing, [{ cover: 'nowhere', reason: 'The folder holds no picture of this name.' }]);

  const features = await model.encodePicture(await readFile(join(SAMPLES, 'cover-0000.webp')));
  const [text] = await model.encodeTexts(['麦克风']);
  const [crossed] = await model.crossScore('麦克风', [features]);
  const cosine = features.embedding.reduce((sum, value, at) => sum + value * (text?.[at] ?? 0), 0);
  const expected = signalsOf(cosine, features.ocrPresence, crossed);
  // An int8 graph scales a whole batch at once, so a picture or text among others differs a little from one alone.
  for (const [column, name] of signals.names.entries()) {
    assert.ok(Math.abs((signals.columns[column]?.[0] ?? 9) - (expected[name] ?? 0)) < 0.01, name);
  }
});

test('what was made before is not made again, whatever the covers are called; half a line left behind is no harm', async () => {
  const cacheFolder = join(folder, 'cache');
  const first = await scoreAll(cacheFolder);
  assert.ok(asked.pictures > 0 && asked.texts.length > 0);
  const home = join(cacheFolder, model.bundle.manifest.hash.slice(0, 16));
  await appendFile(join(home, 'pictures.ndjson'), '{"image":"cut o');
  await appendFile(join(home, 'pairs.ndjson'), '{"pa');

  const second = await scoreAll(cacheFolder);
  assert.deepEqual(asked, { pictures: 0, texts: [] });
  assert.deepEqual(second.signals, first.signals);
  assert.deepEqual(second.gallery.embeddings, first.gallery.embeddings);

  const cache = await openScoreCache(cacheFolder, 'another bundle');
  assert.equal(cache.picture(hashPicture(await readFile(join(SAMPLES, 'cover-0000.webp')))), undefined);
});

test('rows of missing pictures can be left out, queries with them and covers from the gallery', async () => {
  const { pairs, signals, gallery, queries } = await scoreAll(undefined, { missing: 'leave-out' });
  assert.deepEqual([...pairs.label], [2, 0, 2]);
  assert.deepEqual(pairs.queries, ['麦克风', '驼鹿']);
  assert.equal(signals.columns[0]?.length, 3);
  const row = new Float32Array(gallery.covers.length);
  galleryCosines(gallery, queries[0] as Float32Array, 'leave-out', row);
  assert.deepEqual(
    [...row].map((cosine) => cosine === -Infinity),
    [false, false, true],
  );
  galleryCosines(gallery, queries[0] as Float32Array, 'blank', row);
  assert.ok(row.every(Number.isFinite));
});

test('an evaluation of nothing but blank pictures is refused', async () => {
  const cached = { model: counted(), cache: await openScoreCache(undefined, '') };
  const { pairs } = readJudgements(bytesOf('麦克风\tnowhere\t2\n'), 'judged', { maxLabel: 2 });
  const deps = { recall: cached, rerank: cached, pictures: await openPictureFolder(SAMPLES), signalsOf };
  await assert.rejects(scoreJudgements(pairs, { unjudged: 0, missing: 'blank' }, deps), /None of the 1 pictures/);
});

test('signals are weighed into scores; one without a weight counts nothing', () => {
  const table = signalTable([{ cosine: 0.5, itm: 1 }, { cosine: 0.25 }]);
  assert.deepEqual([...weighSignals(table, { cosine: 2, itm: 1 })], [2, 0.5]);
  assert.deepEqual([...weighSignals(table, { toString: 3 })], [0, 0]);
});

test('captions: the top pairs of both directions are reranked and stand before all others', async () => {
  const rows = ['0000#0\t汽车', '0002#0\ttrophy', '0004#0\twrench', '0006#0\t麦克风'];
  const captions = readCaptions(bytesOf(rows.map((row) => `cover-${row}`).join('\n')), 'captions');
  const cached = { model: counted(), cache: await openScoreCache(undefined, '') };
  const deps = { recall: cached, rerank: cached, pictures: await openPictureFolder(SAMPLES), signalsOf };
  const weighted = (weights: Record<string, number>) => ({
    ...deps,
    score: (signals: Readonly<Record<string, number>>) => weigh(signals, weights).relevanceScore,
  });

  const plain = await scoreCaptions(captions, 0, weighted({ cosine: 1 }));
  const byCosine = rankCaptions(plain, captions, 0);
  assert.equal(byCosine.imageToText[0], 1);
  assert.equal(retrievalFigures(byCosine)['i2t_r@5'], 100);

  const all = await scoreCaptions(captions, 4, weighted({ cosine: 1 }));
  assert.deepEqual(rankCaptions(all, captions, 4), byCosine, 'the cosine again, by way of every pair');

  const upsideDown = await scoreCaptions(captions, 2, weighted({ cosine: -1 }));
  const ranks = rankCaptions(upsideDown, captions, 2);
  for (const [image, rank] of byCosine.imageToText.entries()) {
    // The best of two comes second when they change places; what was not among them comes after both.
    const now = ranks.imageToText[image] ?? 0;
    assert.ok(rank <= 2 ? now === 3 - rank : now > 2, `image ${image}: ${rank}, then ${now}`);
  }
});
