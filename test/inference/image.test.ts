import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import sharp from 'sharp';
import { isFailure } from '../../src/core/errors.ts';
import { packageRoot } from '../../src/core/package-root.ts';
import { decodeImage, makeThumbnail } from '../../src/inference/image.ts';

const never = new AbortController().signal;
const viewer = { maxPixels: 25_000_000, decoding: 'viewer', size: 64 } as const;
const pillow = { ...viewer, decoding: 'pillow' } as const;

function picture(name: string): Buffer {
  return readFileSync(join(packageRoot, 'test/fixtures/uniclip-mini/images', name));
}

function failsWith(code: Parameters<typeof isFailure>[1]) {
  return (error: unknown) => isFailure(error, code);
}

test('a picture comes out as RGB of its own size', async () => {
  const { data, width, height } = await decodeImage(picture('landscape.jpg'), viewer, never);
  assert.deepEqual([width, height, data.length], [640, 360, 640 * 360 * 3]);
});

test('a grey picture has three equal channels', async () => {
  const { data } = await decodeImage(picture('gray.jpg'), viewer, never);
  for (let at = 0; at < data.length; at += 999) assert.ok(data[at - (at % 3)] === data[at - (at % 3) + 1]);
});

test('CMYK is converted as Pillow does it, for a viewer too', async () => {
  for (const options of [viewer, { ...pillow, decoding: 'pillow_rgb' }] as const) {
    const { data } = await decodeImage(picture('cmyk.jpg'), options, never);
    assert.deepEqual([...data.subarray(0, 8)], [104, 250, 5, 123, 249, 0, 147, 255]);
  }
});

test('a viewer sees a photo upright, the reference code reads it as it lies', async () => {
  const upright = await decodeImage(picture('exif-rotated.jpg'), viewer, never);
  const lying = await decodeImage(picture('exif-rotated.jpg'), pillow, never);
  assert.deepEqual([upright.width, upright.height], [225, 400]);
  assert.deepEqual([lying.width, lying.height], [400, 225]);
});

test('a viewer sees transparency on white', async () => {
  const clear = await sharp({
    create: { width: 8, height: 8, channels: 4, background: { r: 9, g: 9, b: 9, alpha: 0 } },
  })
    .png()
    .toBuffer();
  const { data } = await decodeImage(clear, viewer, never);
  assert.ok(data.every((value) => value === 255));
});

test('a picture with too many pixels is refused before it is decoded', async () => {
  await assert.rejects(
    decodeImage(picture('landscape.jpg'), { ...viewer, maxPixels: 1000 }, never),
    failsWith('image_too_large'),
  );
});

test('a picture whose caller has left is not begun', async () => {
  let changes = 0; // of sharp's queue: a job that enters it, one that ends
  const count = (): unknown => changes++;
  sharp.queue.on('change', count);
  await assert.rejects(decodeImage(picture('landscape.jpg'), viewer, AbortSignal.abort()), failsWith('cancelled'));
  await decodeImage(picture('landscape.jpg'), viewer, never);
  sharp.queue.off('change', count);
  assert.equal(changes, 2);
});

test('a thin picture is refused however few pixels it has: resizing it would take a gigabyte', async () => {
  for (const [width, height] of [
    [1, 40_000],
    [40_000, 1],
  ] as const) {
    const thin = await sharp({ create: { width, height, channels: 3, background: 'red' } })
      .png()
      .toBuffer();
    for (const options of [viewer, pillow]) {
      await assert.rejects(decodeImage(thin, options, never), failsWith('image_too_large'));
    }
  }
});

test('a cut-off picture is an error, not a grey half', async () => {
  for (const name of ['landscape.jpg', 'small.png', 'photo.webp']) {
    const whole = picture(name);
    await assert.rejects(
      decodeImage(whole.subarray(0, whole.length / 2), viewer, never),
      failsWith('undecodable_image'),
      name,
    );
  }
});

test('other formats are refused by their type', async () => {
  const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>');
  const gif = await sharp(picture('small.png')).gif().toBuffer();
  for (const bytes of [svg, gif, Buffer.from('%PDF-1.7'), Buffer.alloc(0), Buffer.from('hello')]) {
    await assert.rejects(decodeImage(bytes, viewer, never), failsWith('unsupported_image'));
  }
});

test('a thumbnail is a small upright WebP', async () => {
  const { bytes, contentType } = await makeThumbnail(picture('exif-rotated.jpg'), viewer.maxPixels);
  const { format, width, height } = await sharp(bytes).metadata();
  assert.deepEqual([contentType, format, width, height], ['image/webp', 'webp', 180, 320]);
});

const ofPillow = JSON.parse(readFileSync(join(packageRoot, 'test/fixtures/pillow/expected.json'), 'utf8')) as {
  readonly pictures: readonly { readonly file: string; readonly mode: string; size: number; sha256: string }[];
};

for (const { file, mode, size, sha256 } of ofPillow.pictures) {
  test(`a picture of Pillow's mode ${mode} is resized and converted to its last bit: ${file}`, async () => {
    const bytes = readFileSync(join(packageRoot, 'test/fixtures/pillow', file));
    const { data, width, height } = await decodeImage(bytes, { ...pillow, size }, never);
    assert.deepEqual([width, height], [size, size]);
    assert.equal(createHash('sha256').update(data).digest('hex'), sha256);
  });
}

test('16 bits of grey are clipped for the reference code, and scaled for a viewer', async () => {
  const bytes = readFileSync(join(packageRoot, 'test/fixtures/pillow/grey16.png'));
  const clipped = await decodeImage(bytes, { ...pillow, decoding: 'pillow_rgb' }, never);
  const seen = await decodeImage(bytes, viewer, never);
  assert.deepEqual([clipped.width, clipped.height], [50, 40]);
  assert.equal(Math.max(...clipped.data), 255);
  assert.ok(Math.max(...seen.data) < 16);
});
