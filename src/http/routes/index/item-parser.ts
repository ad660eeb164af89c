import { startThread, type Thread } from '../../../core/thread.ts';
import type { ItemThreadMethods } from './item-thread.ts';
import { hasItems, type ItemBytes, type ParsedItem, parseEnvelope, parseLine } from './items.ts';
import { receiveItem, type SentItem } from './sent-item.ts';

/** Bodies and lines of /index to items. */
export interface ItemParser {
  /** See `parseEnvelope`. */
  envelope(source: ItemBytes): Promise<unknown>;
  /** See `parseLine`. */
  line(source: ItemBytes): Promise<ParsedItem>;
  close(): Promise<void>;
}

/** Of so many bytes parsing takes a millisecond or two; a body may have a hundred times as many. */
const SMALL_BYTES = 256 * 1024;

/**
 * Parses small bodies where it is called and large ones in a thread, started with the first of them, so that pictures of
 * one request never hold up the answers to others. Decoded pictures come back without being copied.
 */
export function createItemParser(): ItemParser {
  let thread: Promise<Thread<ItemThreadMethods>> | undefined;

  function running(): Promise<Thread<ItemThreadMethods>> {
    if (thread !== undefined) return thread;
    const started = startThread<ItemThreadMethods>(new URL('./item-thread.js', import.meta.url), undefined, {
      name: 'item parser',
    });
    thread = started;
    const forget = (): void => {
      if (thread === started) thread = undefined;
    };
    // One that died, of a body that its memory did not hold say, is followed by another.
    started.then(({ died }) => died.then(forget), forget);
    return started;
  }

  return {
    async envelope(source) {
      if (source.bytes.length <= SMALL_BYTES) return parseEnvelope(source);
      const envelope = await (await running()).call('envelope', ...owned(source));
      if (!hasItems(envelope)) return envelope;
      return { ...envelope, items: envelope.items.map((item) => receiveItem(item as SentItem)) };
    },
    async line(source) {
      if (source.bytes.length <= SMALL_BYTES) return parseLine(source);
      return receiveItem(await (await running()).call('line', ...owned(source)));
    },
    async close() {
      const last = await thread?.catch(() => undefined);
      await last?.close();
    },
  };
}

/** The source with bytes that may move to the other thread. */
function owned({ bytes, maxImageBytes }: ItemBytes): [ItemBytes, ArrayBuffer[]] {
  const { buffer, byteLength } = bytes;
  const isWhole = buffer instanceof ArrayBuffer && buffer.byteLength === byteLength;
  const own = isWhole ? buffer : bytes.slice().buffer;
  return [{ bytes: new Uint8Array(own), maxImageBytes }, [own as ArrayBuffer]];
}
