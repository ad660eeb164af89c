import { SingleBar } from 'cli-progress';
import { Command, Option } from 'commander';
import { wholeNumber } from '../arguments.ts';
import { EXIT } from '../exit-codes.ts';
import { note, print, printJson } from '../output.ts';
import { configOf, isJson, withSettings } from '../settings.ts';
import { withService } from '../with-service.ts';
import { type IndexProgress, openIndexProgress } from './index-progress.ts';
import { type ItemSource, openItemSource, type SourceFormat } from './item-source.ts';
import { type IndexCounts, uploadItems } from './upload-items.ts';

interface IndexFlags {
  readonly url?: string;
  readonly format?: SourceFormat;
  readonly root?: string;
  readonly concurrency: number;
  readonly fresh?: true;
}

/**
 * `coverrank index SOURCE`: exits with 3 when some items of the job failed, in this run or in an earlier one that it goes on
 * from; they are in `SOURCE.rejected.ndjson`.
 */
export function indexCommand(): Command {
  const command = new Command('index')
    .description(
      'Put covers into the index of a service, or of the data folder when no service is named. SOURCE is NDJSON of ' +
        'items ("file" may name a picture in place of image_base64), TSV (id, picture, title) or a folder of pictures. ' +
        'A run that was interrupted goes on where it was; items that fail are kept in SOURCE.rejected.ndjson, which ' +
        'is a source as well.',
    )
    .argument('<source>', 'file or folder')
    .option('--url <service>', 'address of a running service; its key is taken from COVERRANK_API_KEY')
    .addOption(
      new Option('--format <format>', 'what SOURCE is, where its name does not tell').choices([
        'ndjson',
        'tsv',
        'folder',
      ]),
    )
    .option('--root <dir>', 'folder that paths of pictures are relative to and must stay in (default: that of SOURCE)')
    .option('--concurrency <n>', 'batches on their way at once', wholeNumber(1), 2)
    .option('--fresh', 'start from the beginning, whatever an earlier run has done')
    .action(async (path: string, flags: IndexFlags) => {
      const { config } = configOf(command);
      const maxImageBytes = config.limits.image_max_bytes;
      const source = await openItemSource(path, { format: flags.format, root: flags.root, maxImageBytes });
      const progress = await openIndexProgress(path, {
        fingerprint: source.fingerprint,
        target: flags.url ?? config.data_dir,
        fresh: flags.fresh === true,
      });
      if (progress.resumeFrom > 0) note(`Going on after ${progress.resumeFrom} items that an earlier run has done.`);
      const startedAt = performance.now();
      const bar = startBar(source);
      let counts: IndexCounts;
      try {
        counts = await withService(flags.url, config, (client) =>
          uploadItems(source, client, progress, { concurrency: flags.concurrency, onProgress: bar.update }),
        );
      } finally {
        bar.stop();
      }
      tell(counts, progress, performance.now() - startedAt, isJson(command));
      if (progress.rejected() > 0) process.exitCode = EXIT.partlyDone;
    });
  return withSettings(command, ['data_dir', 'model', 'rerank_model']);
}

/** On a terminal only; the bar follows the source's bytes or pictures, since the number of lines is not known. */
function startBar(source: ItemSource): { update(endsAt: number, counts: IndexCounts): void; stop(): void } {
  if (!process.stderr.isTTY) return { update: () => {}, stop: () => {} };
  const bar = new SingleBar({
    stream: process.stderr,
    format: '{bar} {percentage}% | {items} items, {failed} failed | {eta_formatted} left',
    clearOnComplete: true,
  });
  bar.start(source.size, 0, { items: 0, failed: 0 });
  return { update: (endsAt, { items, failed }) => bar.update(endsAt, { items, failed }), stop: () => bar.stop() };
}

/** Counts are of this run; what was rejected, of the whole job. */
function tell(counts: IndexCounts, progress: IndexProgress, elapsedMs: number, json: boolean): void {
  const rejected = progress.rejected();
  const rejectedFile = rejected > 0 ? progress.rejectedFile : null;
  if (json) {
    printJson({
      ...counts,
      resumed_from: progress.resumeFrom,
      rejected,
      rejected_file: rejectedFile,
      elapsed_ms: Math.round(elapsedMs),
    });
    return;
  }
  const { items, failed, ...results } = counts;
  const parts = Object.entries({ ...results, failed }).flatMap(([name, count]) =>
    count === 0 ? [] : [`${count} ${name.replace('_', ' ')}`],
  );
  const rate = Math.round(items / (elapsedMs / 1000));
  print(`${items} items in ${(elapsedMs / 1000).toFixed(1)} s (${rate}/s): ${parts.join(', ') || 'nothing to do'}`);
  if (rejectedFile === null) return;
  const earlier = rejected - counts.failed;
  const before = earlier > 0 ? ` Of these, ${earlier} failed before this run.` : '';
  note(`What failed is in ${rejectedFile}, with the reason of each.${before}`);
}
