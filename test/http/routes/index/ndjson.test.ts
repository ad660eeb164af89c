import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Line, readLines } from '../../../../src/http/routes/index/ndjson.ts';

async function linesOf(chunks: readonly Buffer[], maxBytes = 1024): Promise<Line[]> {
  async function* stream() {
    yield* chunks;
  }
  const lines: Line[] = [];
  for await (const line of readLines(stream(), maxBytes)) lines.push(line);
  return lines;
}

const texts = (lines: readonly Line[]) => lines.map((line) => ('error' in line ? line.error.code : String(line.bytes)));

test('values come out as they went in, however the bytes are cut', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.jsonValue()), fc.array(fc.nat(200)), async (values, cuts) => {
      const bytes = Buffer.from(values.map((value) => `${JSON.stringify(value)}\n`).join(''));
      const at = [...new Set([0, ...cuts.filter((cut) => cut < bytes.length), bytes.length])].sort((a, b) => a - b);
      const chunks = at.slice(1).map((end, position) => bytes.subarray(at[position], end));
      const lines = await linesOf(chunks, 1 << 20);
      assert.deepEqual(
        texts(lines),
        values.map((value) => JSON.stringify(value)),
      );
    }),
    { numRuns: 100 },
  );
});

test('a line that is too long stands as an error in its place', async () => {
  const bytes = Buffer.from(`{"a":1}\n"${'x'.repeat(50)}"\n2`);
  const expected = ['{"a":1}', 'too_large', '2'];
  assert.deepEqual(texts(await linesOf([bytes], 40)), expected);
  const single = [...bytes].map((byte) => Buffer.from([byte]));
  assert.deepEqual(texts(await linesOf(single, 40)), expected);
});

test('a line may have exactly the bytes that are allowed', async () => {
  assert.deepEqual(texts(await linesOf([Buffer.from('"12345678"\n"123456789"\n')], 10)), ['"12345678"', 'too_large']);
});

test('empty lines, Windows line ends and a missing last line end are fine', async () => {
  assert.deepEqual(texts(await linesOf([Buffer.from('\n1\r\n\r\n  \n2\n3')])), ['1\r', '2', '3']);
  assert.deepEqual(await linesOf([]), []);
});
