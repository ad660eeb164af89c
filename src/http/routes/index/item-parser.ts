import { createThreadOnDemand } from '../../../core/thread-on-demand.ts';
import { isSmall, type JsonSource, movable } from '../../json-source.ts';
import type { ItemThreadMethods } from './item-thread.ts';
import { hasItems, type ParsedItem, parseEnvelope, parseLine } from './items.ts';
import { receiveItem, type SentItem } from './sent-item.ts';

/** Bodies and lines of /index to items. */
export interface ItemParser {
  /** See `parseEnvelope`. */
  envelope(source: JsonSource): Promise<unknown>;
  /** See `parseLine`. */
  line(source: JsonSource): Promise<ParsedItem>;
  close(): Promise<void>;
}

/**
 * Parses small bodies where it is called and large ones in a thread, started with the first of them, so that pictures of
 * one request never hold up the answers to others. Decoded pictures come back without being copied.
 */
export function createItemParser(): ItemParser {
  const thread = createThreadOnDemand<ItemThreadMethods>(new URL('./item-thread.js', import.meta.url), {
    name: 'item parser',
  });
  return {
    async envelope(source) {
      if (isSmall(source)) return parseEnvelope(source);
      const envelope = await (await thread.running()).call('envelope', ...movable(source));
      if (!hasItems(envelope)) return envelope;
      return { ...envelope, items: envelope.items.map((item) => receiveItem(item as SentItem)) };
    },
    async line(source) {
      if (isSmall(source)) return parseLine(source);
      return receiveItem(await (await thread.running()).call('line', ...movable(source)));
    },
    close: () => thread.close(),
  };
}
