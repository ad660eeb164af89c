import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import {
  clipGrey,
  resizeAlphaAsPillow,
  resizeGreyAsPillow,
  resizeInksAsPillow,
} from '../../src/inference/pillow-resize.ts';

/** What they compute is held against Pillow's own pixels in image.test.ts. */
const [width, height, size] = [2400, 1600, 64] as const;

test('whatever else waits gets its turns while a large picture is worked on', async () => {
  const bytes = { data: new Uint8Array(width * height * 4).fill(77), width, height };
  const grey = new Uint16Array(width * height).fill(300);
  for (const work of [
    () => resizeAlphaAsPillow(bytes, size),
    () => resizeInksAsPillow(bytes, size),
    () => resizeGreyAsPillow(grey, width, height, size),
    () => clipGrey(grey, width, height),
  ]) {
    assert.ok((await turnsDuring(work)) >= 2);
  }
});

/** Immediates of somebody else that ran meanwhile; work in one piece leaves room for one at most. */
async function turnsDuring(work: () => Promise<unknown>): Promise<number> {
  let turns = 0;
  let done = false;
  const others = (async () => {
    for (; !done; turns++) await setImmediate();
  })();
  await work();
  done = true;
  await others;
  return turns - 1;
}
