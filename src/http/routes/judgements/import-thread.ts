import { moved, serveThread } from '../../../core/thread.ts';
import { type ImportFile, openImport, readImport } from './import-file.ts';

const methods = {
  open(bytes: Uint8Array) {
    const opened = openImport(bytes);
    const { text, topics } = opened.file ?? {};
    return moved(
      opened,
      [text, topics].flatMap((part) => (part === undefined ? [] : [part.buffer])),
    );
  },
  read({ file, keptTopics }: { readonly file: ImportFile; readonly keptTopics: readonly Uint8Array[] | undefined }) {
    const read = readImport(file, keptTopics);
    return moved(read, [read.judgements.buffer]);
  },
};

export type ImportThreadMethods = typeof methods;

await serveThread(() => methods);
