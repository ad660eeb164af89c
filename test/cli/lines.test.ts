import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Line, parseJsonObject, readAllLines, readLines } from '../../src/cli/lines.ts';
import { isFailure } from '../../src/core/errors.ts';

async function* chunked(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let from = 0; from < bytes.length; from += size) yield bytes.subarray(from, from + size);
}

async function linesOf(text: string | Buffer, size = 1 << 16, maxBytes = 1000): Promise<Line[]> {
  const lines: Line[] = [];
  for await (const line of readLines(chunked(Buffer.from(text), size), maxBytes)) lines.push(line);
  return lines;
}

async function textsOf(text: string): Promise<string[]> {
  return (await linesOf(text)).map((line) => line.text);
}

test('lines end with \\n or \\r\\n and nothing else', async () => {
  assert.deepEqual(await textsOf('a\nb\r\nc'), ['a', 'b', 'c']);
  assert.deepEqual(await textsOf('a\u2028b\rc\n'), ['a\u2028b\rc']);
  assert.deepEqual(await textsOf('\n\na\n'), ['', '', 'a']);
  assert.deepEqual(await textsOf(''), []);
});

test('a byte order mark is no part of the first line, and stays anywhere else', async () => {
  assert.deepEqual(await textsOf('\ufeffa\n\ufeffb\n'), ['a', '\ufeffb']);
});

test('numbers and byte positions are those of the file', async () => {
  const lines = await linesOf('猫\r\n\nab');
  assert.deepEqual(
    lines.map(({ number, endByte }) => [number, endByte]),
    [
      [1, 5],
      [2, 6],
      [3, 8],
    ],
  );
});

test('the chunking does not matter', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.string({ unit: 'grapheme', maxLength: 8 }).filter((text) => !/[\n\r\ufeff]/.test(text))),
      fc.integer({ min: 1, max: 7 }),
      async (texts, size) => {
        const lines = await linesOf(texts.map((text) => `${text}\n`).join(''), size);
        assert.deepEqual(
          lines.map((line) => line.text),
          texts,
        );
      },
    ),
  );
});

test('a line that is too long or not UTF-8 is an error that names it', async () => {
  await assert.rejects(
    linesOf('short\nlonger', 3, 5),
    (error) => isFailure(error, 'too_large') && /Line 2/.test(error.detail),
  );
  await assert.rejects(linesOf(Buffer.from([0x61, 0x0a, 0xff])), (error) => {
    return isFailure(error, 'invalid_request') && /Line 2/.test(error.detail);
  });
});

test('read on, such lines stand as errors in their places', async () => {
  const bytes = Buffer.concat([Buffer.from('too long\r\na\n'), Buffer.from([0xff, 0x0a]), Buffer.from('b\nlonger')]);
  for (const size of [1, 3, 100]) {
    const lines: unknown[] = [];
    for await (const line of readAllLines(chunked(bytes, size), 5)) {
      lines.push([line.number, line.endByte, 'text' in line ? line.text : line.error.code]);
    }
    assert.deepEqual(lines, [
      [1, 10, 'too_large'],
      [2, 12, 'a'],
      [3, 14, 'invalid_request'],
      [4, 16, 'b'],
      [5, 22, 'too_large'],
    ]);
  }
});

test('only an object is a JSON object', () => {
  const line = (text: string): Line => ({ number: 7, text, endByte: 0 });
  assert.deepEqual(parseJsonObject(line('{"a": 1}')), { a: 1 });
  for (const text of ['[1]', 'null', '"a"', '{', '']) {
    assert.throws(
      () => parseJsonObject(line(text)),
      (error) => isFailure(error) && /Line 7/.test(error.detail),
      text,
    );
  }
});
