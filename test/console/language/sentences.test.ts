import assert from 'node:assert/strict';
import { test } from 'node:test';
import { en } from '../../../console/src/language/en.ts';
import { zh } from '../../../console/src/language/zh.ts';

const placeholders = (sentence: string) => [...sentence.matchAll(/\{\w+\}/g)].map(([name]) => name).sort();

test('both languages have the same sentences with the same values in them', () => {
  assert.deepEqual(Object.keys(zh), Object.keys(en));
  for (const [name, sentence] of Object.entries(en)) {
    assert.deepEqual(placeholders(zh[name as keyof typeof en]), placeholders(sentence), name);
  }
});
