import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import type { Config } from '../config-schema.ts';
import { failure } from '../core/errors.ts';
import type { CoverIndex } from '../core/ports.ts';
import { EXIT } from './exit-codes.ts';
import { note, print, printJson } from './output.ts';
import { configOf, isJson, withSettings } from './settings.ts';
import { withService } from './with-service.ts';

const SHOWN = ['data_dir', 'model'];

/** `coverrank verify`: exits with 1 when covers are damaged. */
export function verifyCommand(): Command {
  const command = new Command('verify')
    .description('Read everything in the data folder and check it. No process may have the folder open.')
    .action(async () => {
      const { config } = configOf(command);
      const { verifyDataDir } = await import('../services.ts');
      const report = await verifyDataDir(config.data_dir);
      if (report.problems.length > 0) process.exitCode = EXIT.failed;
      if (isJson(command)) {
        printJson({ data_dir: config.data_dir, ok: report.problems.length === 0, ...report });
        return;
      }
      const { bundle, graph, selfRecall } = report;
      print(`${config.data_dir}: ${report.covers} covers, made by ${bundle.name} (${bundle.hash.slice(0, 12)})`);
      print(graph === null ? 'no saved graph' : `saved graph of ${graph.elements} covers, ${graph.deleted} deleted`);
      if (selfRecall !== null) print(`${selfRecall.found} of ${selfRecall.sampled} sampled covers find themselves`);
      for (const warning of report.warnings) note(`warning: ${warning}`);
      for (const problem of report.problems) note(`problem: ${problem}`);
      print(report.problems.length === 0 ? 'ok' : `damaged: index again what is named above`);
    });
  return withSettings(command, ['data_dir']);
}

/** `coverrank rebuild`: a new graph from the stored covers. */
export function rebuildCommand(): Command {
  const command = new Command('rebuild')
    .description('Make the graph anew from the stored covers. No process may have the data folder open.')
    .action(async () => {
      const { config } = configOf(command);
      const startedAt = performance.now();
      const { covers, graph } = await withIndex(config, async (index) => {
        await index.rebuild();
        return index.status();
      });
      const elapsedMs = Math.round(performance.now() - startedAt);
      if (isJson(command)) printJson({ covers, graph, elapsed_ms: elapsedMs });
      else print(`Built the graph of ${covers} covers in ${(elapsedMs / 1000).toFixed(1)} s.`);
    });
  return withSettings(command, SHOWN);
}

/** `coverrank snapshot`: of the data folder, or by a running service of its own. */
export function snapshotCommand(): Command {
  const command = new Command('snapshot')
    .description('Put a consistent copy of the data folder under its snapshots/. A running service does it with --url.')
    .option('--url <service>', 'address of a running service; its key is taken from COVERRANK_API_KEY')
    .action(async ({ url }: { url?: string }) => {
      const { config } = configOf(command);
      if (url !== undefined) {
        const info = (await withService(url, config, (client) => client.call('POST', '/snapshot'))) as { name: string };
        if (isJson(command)) printJson(info);
        else print(`The service made the snapshot ${info.name}.`);
        return;
      }
      const { createdAt, ...info } = await withIndex(config, (index) => index.snapshot());
      const path = join(config.data_dir, 'snapshots', info.name);
      if (isJson(command)) printJson({ ...info, created_at: createdAt, path });
      else print(`${path}: ${info.covers} covers, ${(info.bytes / 1e6).toFixed(1)} MB`);
    });
  return withSettings(command, SHOWN);
}

/** `coverrank restore SNAPSHOT`: into a data folder that is empty or not there yet. */
export function restoreCommand(): Command {
  const command = new Command('restore')
    .description('Make a data folder from a snapshot, checking every byte. The folder must be empty or new.')
    .argument('<snapshot>', 'folder of the snapshot')
    .action(async (snapshot: string) => {
      const { config } = configOf(command);
      const { restoreSnapshot } = await import('../services.ts');
      const { createdAt, ...info } = await restoreSnapshot(snapshot, config.data_dir);
      if (isJson(command)) printJson({ ...info, created_at: createdAt, data_dir: config.data_dir });
      else print(`${config.data_dir}: ${info.covers} covers, as they were at ${createdAt}.`);
    });
  return withSettings(command, ['data_dir']);
}

/** Opening makes a folder that is not there; a command about covers that exist must not. */
async function withIndex<T>(config: Config, work: (index: CoverIndex) => Promise<T>): Promise<T> {
  if (!existsSync(config.data_dir)) throw failure('not_found', `There is no data folder ${config.data_dir}.`);
  const { openIndex } = await import('../services.ts');
  const index = await openIndex(config);
  try {
    return await work(index);
  } finally {
    await index.close();
  }
}
