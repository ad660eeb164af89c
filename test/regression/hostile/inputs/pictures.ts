import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import { packageRoot } from '../../../../src/core/package-root.ts';
import type { Dice } from '../dice.ts';
import { type InputKind, NDJSON_TYPE, post } from '../input.ts';
import { spoilBytes } from './bodies.ts';
import { chunk, png } from './png.ts';

const fixture = (name: string) => readFileSync(join(packageRoot, 'test/fixtures/uniclip-mini/images', name));
const real = ['small.png', 'gray.jpg', 'cmyk.jpg', 'photo.webp', 'palette.png', 'exif-rotated.jpg'].map(fixture);
const [small, gray, , webp] = real as [Buffer, Buffer, Buffer, Buffer];

const SVG = `<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]>
<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="99999" height="99999">
<image xlink:href="file:///etc/passwd"/><image xlink:href="http://169.254.169.254/"/><text>&x;</text></svg>`;

/** A WebP that says it moves: the still picture as its only frame, between the chunks of an animation. */
function animatedWebp(still: Buffer): Buffer {
  const riffChunk = (type: string, data: Buffer): Buffer => {
    const size = Buffer.alloc(4);
    size.writeUInt32LE(data.length);
    return Buffer.concat([Buffer.from(type), size, data, Buffer.alloc(data.length % 2)]);
  };
  const frame = riffChunk('ANMF', Buffer.concat([Buffer.alloc(16, 1), still.subarray(12)]));
  const flags = Buffer.from([2, 0, 0, 0, 99, 0, 0, 99, 0, 0]);
  const body = Buffer.concat([
    Buffer.from('WEBP'),
    riffChunk('VP8X', flags),
    riffChunk('ANIM', Buffer.alloc(6)),
    frame,
    frame,
  ]);
  return riffChunk('RIFF', body);
}

const SPECIAL: readonly { readonly name: string; readonly bytes: Buffer }[] = [
  {
    name: 'PNG of 65,535 x 65,535',
    bytes: png({ width: 65_535, height: 65_535, bitDepth: 8, colourType: 2, pixelBytes: 100 }),
  },
  { name: 'PNG of 2^31 x 1', bytes: png({ width: 2 ** 31 - 1, height: 1, bitDepth: 8, colourType: 0, pixelBytes: 9 }) },
  { name: 'PNG of 0 x 0', bytes: png({ width: 0, height: 0, bitDepth: 8, colourType: 2 }) },
  { name: 'PNG that inflates to 24 megapixels', bytes: png({ width: 4899, height: 4899, bitDepth: 1, colourType: 0 }) },
  {
    name: 'PNG with more pixels than it says',
    bytes: png({ width: 8, height: 8, bitDepth: 8, colourType: 2, pixelBytes: 20_000_000 }),
  },
  { name: 'PNG of 16 bits', bytes: png({ width: 40, height: 30, bitDepth: 16, colourType: 6 }) },
  { name: 'PNG of 1 x 3,000,000', bytes: png({ width: 1, height: 3_000_000, bitDepth: 8, colourType: 0 }) },
  { name: 'PNG of 1 x 9000', bytes: png({ width: 1, height: 9000, bitDepth: 8, colourType: 2 }) },
  {
    name: 'PNG whose text inflates to 20 MB',
    bytes: png({
      width: 9,
      height: 9,
      bitDepth: 8,
      colourType: 2,
      extraChunks: [chunk('zTXt', Buffer.concat([Buffer.from('x\0\0'), deflateSync(Buffer.alloc(20_000_000))]))],
    }),
  },
  {
    name: 'PNG with a profile that is none',
    bytes: png({
      width: 9,
      height: 9,
      bitDepth: 8,
      colourType: 2,
      extraChunks: [chunk('iCCP', Buffer.concat([Buffer.from('x\0\0'), deflateSync(Buffer.alloc(999, 7))]))],
    }),
  },
  {
    name: 'animated PNG',
    bytes: png({
      width: 9,
      height: 9,
      bitDepth: 8,
      colourType: 2,
      extraChunks: [chunk('acTL', Buffer.from('7fffffff00000000', 'hex'))],
    }),
  },
  { name: 'animated WebP', bytes: animatedWebp(webp) },
  { name: 'SVG', bytes: Buffer.from(SVG) },
  { name: 'SVG behind a PNG signature', bytes: Buffer.concat([small.subarray(0, 8), Buffer.from(SVG)]) },
  {
    name: 'PDF',
    bytes: Buffer.from('%PDF-1.7\n1 0 obj<</Type/Catalog/OpenAction<</S/JavaScript/JS(app.alert(1))>>>>endobj\n%%EOF'),
  },
  { name: 'GIF', bytes: Buffer.from('GIF89a/*\x01\x00\x01\x00*/=1;alert(1)', 'latin1') },
  { name: 'TIFF', bytes: Buffer.from('49492a0008000000ffff', 'hex') },
  { name: 'BMP', bytes: Buffer.concat([Buffer.from('BM'), Buffer.alloc(60, 0xff)]) },
  { name: 'AVIF', bytes: Buffer.from('0000001c667479706176696600000000', 'hex') },
  { name: 'JPEG with HTML behind it', bytes: Buffer.concat([gray, Buffer.from('<script>alert(1)</script>')]) },
  {
    name: 'JPEG with an archive behind it',
    bytes: Buffer.concat([gray, Buffer.from('504b0304', 'hex'), Buffer.alloc(99)]),
  },
  { name: 'JPEG of 65,500 x 65,500', bytes: withJpegSize(gray, 65_500) },
  {
    name: 'ImageMagick script',
    bytes: Buffer.from('push graphic-context\nfill "url(https://127.0.0.1/x|id)"\npop graphic-context'),
  },
  { name: 'nothing', bytes: Buffer.alloc(0) },
  { name: 'one byte', bytes: Buffer.from([0xff]) },
  { name: 'signature of a JPEG alone', bytes: Buffer.from('ffd8ff', 'hex') },
];

/** The same file claiming another size in its frame header (SOF0 to SOF2). */
function withJpegSize(jpeg: Buffer, side: number): Buffer {
  const changed = Buffer.from(jpeg);
  for (let at = 2; at + 9 < changed.length && changed[at] === 0xff; at += 2 + changed.readUInt16BE(at + 2)) {
    const marker = changed[at + 1] ?? 0;
    if (marker < 0xc0 || marker > 0xc2) continue;
    changed.writeUInt16BE(side, at + 5);
    changed.writeUInt16BE(side, at + 7);
    break;
  }
  return changed;
}

/** Pictures that are cut off, broken, enormous, of two kinds at once, or of kinds that the service does not take. */
export const pictures: InputKind = (dice) => {
  const { name, bytes } = dice.chance(0.5) ? dice.pick(SPECIAL) : { name: 'broken picture', bytes: broken(dice) };
  const base64 = bytes.toString('base64');
  const id = `picture-${dice.below(50)}`;
  switch (dice.below(4)) {
    case 0:
      return post(name, '/embed', { images_base64: [base64] });
    case 1:
      return post(name, '/score', { pairs: [{ query: '猫', image_base64: base64 }] });
    case 2:
      return post(name, '/index', `${JSON.stringify({ id, image_base64: base64 })}\n`, NDJSON_TYPE);
    default:
      return post(name, '/index', { items: [{ id, image_base64: base64, title: name }] });
  }
};

/** A real picture, spoiled; the beginning, which says what is in it, more often than the rest. */
function broken(dice: Dice): Buffer {
  const picture = dice.pick(real);
  if (dice.chance(0.5)) return spoilBytes(picture, dice);
  const head = Math.min(picture.length, 300);
  return Buffer.concat([spoilBytes(picture.subarray(0, head), dice), picture.subarray(head)]);
}
