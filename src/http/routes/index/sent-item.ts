import { receiveFailure, type SentFailure, sendFailure } from '../../../core/sent-failure.ts';
import type { IndexItem } from '../../../indexing/item.ts';
import type { ParsedItem } from './items.ts';

/** An item on its way between threads, where errors lose what they are. */
export type SentItem = IndexItem | SentRejection;

interface SentRejection {
  readonly id: string;
  readonly problem: SentFailure;
}

/** The item as it is sent; the buffer of its picture joins those that move in place of being copied. */
export function sendItem(item: ParsedItem, transfer: ArrayBuffer[]): SentItem {
  if ('error' in item) return { id: item.id, problem: sendFailure(item.error) };
  if ('source' in item && 'bytes' in item.source) {
    const { buffer, byteLength } = item.source.bytes;
    // Small pictures share their buffer with others and are copied.
    if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) transfer.push(buffer);
  }
  return item;
}

export function receiveItem(sent: SentItem): ParsedItem {
  if (!('problem' in sent)) return sent;
  return { id: sent.id, error: receiveFailure(sent.problem) };
}
