import { setImmediate as nextTurn } from 'node:timers/promises';
import type { JudgementStore } from '../../../core/ports.ts';
import { createThreadOnDemand } from '../../../core/thread-on-demand.ts';
import { isSmall } from '../../json-source.ts';
import { type ImportFile, type ImportRead, type OpenedImport, openImport, packJson } from './import-file.ts';
import type { ImportThreadMethods } from './import-thread.ts';

/** Bodies of /judgements/import to judgements. */
export interface ImportReader {
  /** See `openImport`. */
  open(bytes: Uint8Array): Promise<OpenedImport>;
  /** See `readImport`; topics that the file lacks are those of the store. The file's buffers are gone afterwards. */
  read(file: ImportFile, store: Pick<JudgementStore, 'queries'>): Promise<ImportRead>;
  close(): Promise<void>;
}

/** Topics packed between two looks at other requests. */
const SLICE = 500;

/**
 * Reads files in a thread, started with the first of them: one may have a million rows. Buffers move there and back, since
 * a copy of so many objects would take this thread as long as reading them.
 */
export function createImportReader(): ImportReader {
  const thread = createThreadOnDemand<ImportThreadMethods>(new URL('./import-thread.js', import.meta.url), {
    name: 'judgements reader',
  });
  return {
    async open(bytes) {
      if (isSmall({ bytes })) return openImport(bytes);
      return (await thread.running()).call('open', bytes);
    },
    async read(file, store) {
      const { format, text, topics } = file;
      const keptTopics = format === 'trec' && topics === undefined ? await packTopics(store) : undefined;
      const parts = [text, ...(topics === undefined ? [] : [topics]), ...(keptTopics ?? [])];
      const transfer = parts.map(({ buffer }) => buffer);
      return (await thread.running()).call('read', { file, keptTopics }, transfer);
    },
    close: () => thread.close(),
  };
}

async function packTopics(store: Pick<JudgementStore, 'queries'>): Promise<Uint8Array<ArrayBuffer>[]> {
  const packed: Uint8Array<ArrayBuffer>[] = [];
  let slice: [string, string][] = [];
  for (const { topic, query } of store.queries()) {
    slice.push([String(topic), query]);
    if (slice.length < SLICE) continue;
    packed.push(packJson(slice));
    slice = [];
    await nextTurn();
  }
  return [...packed, packJson(slice)];
}
