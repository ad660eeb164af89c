import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { isFailure } from '../../../src/core/errors.ts';
import { LIMITS } from '../../../src/http/limits.ts';
import { bytesOf, type Picture, parsePictureBody } from '../../../src/http/pictures/picture-body.ts';

const parse = (json: unknown) =>
  parsePictureBody({ bytes: Buffer.from(JSON.stringify(json)), maxImageBytes: 1_000 }) as Record<string, unknown>;
const refusal = (picture: Picture) => {
  try {
    bytesOf(picture);
  } catch (error) {
    if (isFailure(error)) return { code: error.code, path: error.errors?.[0]?.path };
  }
  return undefined;
};

test('pictures come out as their bytes, wherever they stand, and everything else as it was', () => {
  const bytes = randomBytes(500);
  const base64 = bytes.toString('base64');
  const { images_base64: images } = parse({ images_base64: [base64, base64] }) as { images_base64: Picture[] };
  assert.deepEqual(images.map(bytesOf), [bytes, bytes]);
  const body = parse({
    pairs: [
      { query: '猫', image_base64: base64 },
      { query: '狗', id: 'a' },
    ],
  });
  const [first, second] = body['pairs'] as [{ image_base64: Picture }, unknown];
  assert.deepEqual(bytesOf(first.image_base64), bytes);
  assert.deepEqual(second, { query: '狗', id: 'a' });
  assert.deepEqual(parse({ texts: ['猫'] }), { texts: ['猫'] });
});

test('a picture that is none stands as what is wrong with it, and where', () => {
  const large = Buffer.alloc(1_001).toString('base64');
  const { pairs } = parse({ pairs: ['A', large, ''].map((image_base64) => ({ query: 'q', image_base64 })) });
  assert.deepEqual(
    (pairs as { image_base64: Picture }[]).map(({ image_base64: picture }) => refusal(picture)),
    [
      { code: 'invalid_request', path: '/pairs/0/image_base64' },
      { code: 'too_large', path: undefined },
      { code: 'invalid_request', path: '/pairs/2/image_base64' },
    ],
  );
});

test('anything but a string in the place of a picture is refused, and told by path', () => {
  for (const [body, path] of [
    [{ images_base64: [['/9j/']] }, '/images_base64/0'],
    [{ images_base64: ['/9j/', []] }, '/images_base64/1'],
    [{ images_base64: [null] }, '/images_base64/0'],
    [{ pairs: [{ query: 'q', image_base64: ['/9j/'] }] }, '/pairs/0/image_base64'],
    [{ pairs: [{ query: 'q', image_base64: { bytes: '/9j/' } }] }, '/pairs/0/image_base64'],
    [{ pairs: [{ query: 'q', image_base64: 7 }] }, '/pairs/0/image_base64'],
  ] as const) {
    assert.throws(
      () => parse(body),
      (error) => isFailure(error, 'invalid_request') && error.errors?.[0]?.path === path,
    );
  }
  // Here the schema sees that it is no list.
  assert.deepEqual(parse({ images_base64: '/9j/' }), { images_base64: '/9j/' });
});

test('white space around a text does not decide whether it is too long', () => {
  const spaces = ' '.repeat(5_000);
  for (const text of [`${spaces}猫`, `猫${spaces}`, `${spaces}猫 狗${spaces}`]) {
    const { texts } = parse({ texts: [text] }) as { texts: string[] };
    assert.equal(texts[0]?.trim(), text.trim());
    const { pairs } = parse({ pairs: [{ query: text, id: 'a' }] }) as { pairs: { query: string }[] };
    assert.equal(pairs[0]?.query.trim(), text.trim());
  }
  const { texts } = parse({ texts: [`猫${spaces}狗`] }) as { texts: string[] };
  assert.ok(Number(texts[0]?.trim().length) > LIMITS.queryCharacters, 'what is too long is not cut until it is not');
  // White space belongs to an id, which is too long with it.
  const { pairs } = parse({ pairs: [{ query: '猫', id: `a${spaces}` }] }) as { pairs: { id: string }[] };
  assert.ok(Number(pairs[0]?.id.length) > LIMITS.coverIdBytes);
});

test('of what is not allowed anyway little is left, and it is still not allowed', () => {
  const nested = parse({ texts: [[[[[['deep']]]]]] });
  assert.deepEqual(nested, { texts: [[[[]]]] });
  const { texts } = parse({ texts: new Array(100_000).fill('q') }) as { texts: unknown[] };
  assert.ok(texts.length > LIMITS.embedTexts && texts.length <= 1_001);
  const { texts: long } = parse({ texts: ['字'.repeat(100_000)] }) as { texts: string[] };
  assert.ok(Number(long[0]?.length) > LIMITS.queryCharacters && Number(long[0]?.length) < 10_000);
  const fields = parse(Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`field${i}`, [[[[i]]]]])));
  assert.deepEqual(Object.keys(fields).length, 8);
});
