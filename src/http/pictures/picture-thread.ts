import { moved, serveThread } from '../../core/thread.ts';
import type { JsonSource } from '../json-source.ts';
import { parsePictureBody } from './picture-body.ts';

const methods = {
  parse(source: JsonSource) {
    const transfer = new Set<ArrayBuffer>();
    const body = parsePictureBody(source);
    collectBuffers(body, transfer);
    return moved(body, [...transfer]);
  },
};

export type PictureThreadMethods = typeof methods;

await serveThread(() => methods);

/** Buffers that pictures have for themselves; small ones share theirs and are copied. */
function collectBuffers(value: unknown, found: Set<ArrayBuffer>): void {
  if (value instanceof Uint8Array) {
    if (value.buffer instanceof ArrayBuffer && value.buffer.byteLength === value.byteLength) found.add(value.buffer);
    return;
  }
  if (typeof value !== 'object' || value === null) return;
  for (const inner of Object.values(value)) collectBuffers(inner, found);
}
