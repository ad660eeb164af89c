import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { packageRoot } from '../../src/core/package-root.ts';
import { createTokenizer, readVocabulary } from '../../src/inference/tokenizer.ts';

const vocabFile = join(packageRoot, 'models/vocab/bert-base-chinese.txt');
const golden = JSON.parse(readFileSync(join(packageRoot, 'test/fixtures/uniclip-mini/tokens.json'), 'utf8')) as {
  tokens: Record<string, string[]>;
  ids_context12: Record<string, number[]>;
};

function tokenizer(changes: Partial<Parameters<typeof createTokenizer>[0]> = {}) {
  return createTokenizer({
    vocabFile,
    contextLength: 512,
    lowerCase: true,
    maxWordCharacters: 200,
    specialTokensInText: false,
    ...changes,
  });
}

// Made with a vocabulary file in which a search-and-replace had renamed `content` (id 9432), which no trained model has.
const RENAMED = 'content semantic exist presence';

test('every golden text gives the pieces of the reference tokenizer', () => {
  const pieces = [...readVocabulary(vocabFile).keys()];
  const { tokenize } = tokenizer();
  for (const [text, expected] of Object.entries(golden.tokens)) {
    if (text === RENAMED) continue;
    assert.deepEqual(
      tokenize(text)
        .ids.slice(1, -1)
        .map((id) => pieces[id]),
      expected,
      text,
    );
  }
});

test('the published spelling of id 9432 is `content`', () => {
  assert.deepEqual(tokenizer().tokenize('content').ids, [101, 9432, 102]);
});

test('every golden text gives the ids of the reference tokenizer at context length 12', () => {
  const { tokenize } = tokenizer({ contextLength: 12 });
  for (const [text, padded] of Object.entries(golden.ids_context12)) {
    if (text === RENAMED) continue;
    const { ids } = tokenize(text);
    assert.deepEqual([...ids, ...new Array(12 - ids.length).fill(0)], padded, text);
  }
});

test('a text is marked as truncated only when pieces were lost', () => {
  const { tokenize } = tokenizer({ contextLength: 6 });
  assert.deepEqual(tokenize('一二三四').truncated, false);
  assert.deepEqual(tokenize('一二三四 \n').truncated, false);
  const cut = tokenize('一二三四五');
  assert.equal(cut.truncated, true);
  assert.equal(cut.ids.length, 6);
  assert.equal(cut.ids.at(-1), 102);
});

test('a reranker with a shorter context sees the same first pieces', () => {
  const { tokenizeTo, tokenize } = tokenizer();
  const whole = tokenize('红烧肉的做法大全视频').ids;
  const { ids } = tokenizeTo('红烧肉的做法大全视频', 7);
  assert.deepEqual(ids, [...whole.slice(0, 6), 102]);
});

test('special tokens in a text are pieces of text unless the bundle says otherwise', () => {
  assert.ok(tokenizer().tokenize('[SEP]').ids.length > 3);
  assert.deepEqual(tokenizer({ specialTokensInText: true }).tokenize('猫[SEP]狗').ids, [101, 4344, 102, 4318, 102]);
});

test('what transformers drops and lowers on its own is read as it does, where the bundle says so', () => {
  const { tokenize } = tokenizer({ specialTokensInText: true });
  assert.deepEqual(tokenize('猫\ue415狗').ids, [101, 4344, 4318, 102]);
  assert.deepEqual(tokenize('ΣΟΦΟΣ').ids, [101, 226, 13392, 13399, 13392, 13396, 102]);
  assert.deepEqual(tokenizer().tokenize('猫\ue415狗').ids, [101, 4344, 100, 4318, 102]);
});

test('a word longer than the limit is one unknown piece', () => {
  const { tokenize } = tokenizer({ maxWordCharacters: 5 });
  assert.deepEqual(tokenize('aaaaaa').ids, [101, 100, 102]);
  assert.notDeepEqual(tokenize('aaaaa').ids, [101, 100, 102]);
});

test('any string gives ids of the vocabulary between [CLS] and [SEP], never longer than the context', () => {
  const { tokenize } = tokenizer({ contextLength: 20 });
  const size = readVocabulary(vocabFile).size;
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
      const { ids } = tokenize(text);
      assert.equal(ids[0], 101);
      assert.equal(ids.at(-1), 102);
      assert.ok(ids.length <= 20);
      assert.ok(ids.every((id) => Number.isInteger(id) && id >= 0 && id < size));
    }),
  );
});
