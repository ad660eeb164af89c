import { moved, serveThread } from '../../../core/thread.ts';
import type { JsonSource } from '../../json-source.ts';
import { hasItems, parseEnvelope, parseLine } from './items.ts';
import { sendItem } from './sent-item.ts';

const methods = {
  envelope(argument: JsonSource) {
    const envelope = parseEnvelope(argument);
    const transfer: ArrayBuffer[] = [];
    if (!hasItems(envelope)) return moved(envelope, transfer);
    return moved({ ...envelope, items: envelope.items.map((item) => sendItem(item, transfer)) }, transfer);
  },
  line(argument: JsonSource) {
    const transfer: ArrayBuffer[] = [];
    return moved(sendItem(parseLine(argument), transfer), transfer);
  },
};

export type ItemThreadMethods = typeof methods;

await serveThread(() => methods);
