import { Command } from 'commander';
import { jsonObject, wholeNumber } from './arguments.ts';
import { note, print, printJson } from './output.ts';
import { type RankAnswer, rankNotes, rankTable } from './rank-table.ts';
import { configOf, isJson, withSettings } from './settings.ts';
import { withService } from './with-service.ts';

interface RankFlags {
  readonly url?: string;
  readonly topN?: number;
  readonly recallK?: number;
  readonly rerankK?: number;
  readonly filter?: Readonly<Record<string, unknown>>;
  readonly candidates?: readonly string[];
  readonly deadlineMs: number;
}

/** A person waits longer than a front-end; and in a process of its own the first query is a cold one. */
const DEADLINE_MS = 5000;

/** `coverrank rank QUERY`: a table of covers, or with `--json` the service's answer. */
export function rankCommand(): Command {
  const command = new Command('rank')
    .description('Covers for a query, from a service or, when none is named, from the data folder.')
    .argument('<query>')
    .option('--url <service>', 'address of a running service; its key is taken from COVERRANK_API_KEY')
    .option('--top-n <n>', 'covers to answer', wholeNumber(1))
    .option('--recall-k <n>', 'covers to recall', wholeNumber(1))
    .option('--rerank-k <n>', 'covers to rerank; 0: none', wholeNumber(0))
    .option('--filter <json>', 'conditions on attributes, such as \'{"channel": "food"}\'', jsonObject)
    .option('--candidates <ids>', 'rank just these covers, separated by commas', (text) => text.split(','))
    .option('--deadline-ms <n>', 'milliseconds that the answer may take', wholeNumber(1), DEADLINE_MS)
    .action(async (query: string, flags: RankFlags) => {
      const { config } = configOf(command);
      const body = {
        query,
        top_n: flags.topN,
        recall_k: flags.recallK,
        rerank_k: flags.rerankK,
        filter: flags.filter,
        candidates: flags.candidates,
        deadline_ms: flags.deadlineMs,
        include: ['cover', 'signals', 'timings'],
      };
      const answer = (await withService(flags.url, config, (client) => client.call('POST', '/rank', body), {
        // Somebody waits at the terminal: that the service is not there should be heard soon.
        maxRetries: 1,
      })) as RankAnswer;
      if (isJson(command)) {
        printJson(answer);
        return;
      }
      if (answer.results.length > 0) print(rankTable(answer));
      for (const line of rankNotes(answer)) note(line);
    });
  return withSettings(command, ['data_dir', 'model', 'rerank_model']);
}
