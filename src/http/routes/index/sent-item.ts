import { type ErrorCode, type FieldError, failure } from '../../../core/errors.ts';
import type { IndexItem } from '../../../indexing/item.ts';
import type { ParsedItem } from './items.ts';

/** An item on its way between threads, where errors lose what they are. */
export type SentItem = IndexItem | SentRejection;

interface SentRejection {
  readonly id: string;
  readonly problem: { readonly code: ErrorCode; readonly detail: string; readonly errors?: readonly FieldError[] };
}

/** The item as it is sent; the buffer of its picture joins those that move in place of being copied. */
export function sendItem(item: ParsedItem, transfer: ArrayBuffer[]): SentItem {
  if ('error' in item) {
    const { code, detail, errors } = item.error;
    return { id: item.id, problem: { code, detail, ...(errors === undefined ? {} : { errors }) } };
  }
  if ('source' in item && 'bytes' in item.source) {
    const { buffer, byteLength } = item.source.bytes;
    // Small pictures share their buffer with others and are copied.
    if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) transfer.push(buffer);
  }
  return item;
}

export function receiveItem(sent: SentItem): ParsedItem {
  if (!('problem' in sent)) return sent;
  const { code, detail, errors } = sent.problem;
  return { id: sent.id, error: failure(code, detail, errors === undefined ? {} : { errors }) };
}
