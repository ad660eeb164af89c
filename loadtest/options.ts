import { Command, InvalidArgumentError, Option } from 'commander';
import { type Mix, parseMix } from './mix.ts';
import type { LoadDescription } from './report.ts';

export interface LoadTestOptions {
  /** Undefined: the load test starts a service of its own. */
  readonly url: string | undefined;
  readonly key: string | undefined;
  readonly timeoutMs: number;
  /** Sample covers to index in a service of its own. */
  readonly covers: number;
  readonly load: LoadDescription;
  /** Path of the JSON report; the page lies beside it. */
  readonly out: string | undefined;
  /** Path of an earlier JSON report. */
  readonly compare: string | undefined;
}

interface Flags {
  readonly url?: string;
  readonly key?: string;
  readonly connections: number;
  readonly rate?: number;
  readonly duration: number;
  readonly warmup: number;
  readonly mix: Mix;
  readonly indexRate: number;
  readonly covers: number;
  readonly topN: number;
  readonly recallK: number;
  readonly rerankK: number;
  readonly deadlineMs: number;
  readonly timeoutMs: number;
  readonly seed?: number;
  readonly out?: string;
  readonly compare?: string;
}

const DEFAULT_MIX = 'rank-repeated=40,rank-fresh=40,rerank-repeated=10,rerank-fresh=10';

/** Reads the command line; prints help or what is wrong and ends the process as commander does. */
export function parseOptions(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): LoadTestOptions {
  const command = new Command('loadtest')
    .description('Loads /rank (and /index), measures and writes a JSON report and an HTML page.')
    .option('--url <url>', 'a running service; without it one is started on the sample covers')
    .option('--key <key>', 'API key for it', env['COVERRANK_API_KEY'])
    .option('--connections <n>', 'closed loop: requests that are on their way at once', wholeFrom(1), 16)
    .option('--rate <n>', 'fixed rate in place of the closed loop: arrivals a second', numberAbove(0))
    .option('--duration <seconds>', 'length of the measurement', wholeFrom(1), 20)
    .option('--warmup <seconds>', 'the same load before it, not counted', wholeFrom(0), 5)
    .addOption(
      new Option('--mix <weights>', 'kinds of /rank request and their weights')
        .argParser(mix)
        .default(parseMix(DEFAULT_MIX), DEFAULT_MIX),
    )
    .option('--index-rate <n>', 'covers indexed a second meanwhile', numberFrom(0), 0)
    .option('--covers <n>', 'sample covers that the started service gets', wholeFrom(1), 800)
    .option('--top-n <n>', 'of each request', wholeFrom(1), 10)
    .option('--recall-k <n>', 'of each request', wholeFrom(1), 100)
    .option('--rerank-k <n>', 'of the reranked kinds', wholeFrom(1), 50)
    .option('--deadline-ms <n>', 'of each request', wholeFrom(1), 500)
    .option('--timeout-ms <n>', 'after which an answer is given up', wholeFrom(1), 10_000)
    .option(
      '--seed <n>',
      'repeats the same requests; fresh queries then are fresh only to a service that was restarted',
      wholeFrom(0),
    )
    .option('--out <file>', 'the JSON report; the page goes beside it (default: loadtest-results/<time>.json)')
    .option('--compare <file>', 'an earlier JSON report to put beside this one');
  const flags = command.parse(args, { from: 'user' }).opts<Flags>();
  return {
    url: flags.url,
    key: flags.key,
    timeoutMs: flags.timeoutMs,
    covers: flags.covers,
    load: describeLoad(flags),
    out: flags.out,
    compare: flags.compare,
  };
}

function describeLoad(flags: Flags): LoadDescription {
  const { connections, rate, duration, warmup, mix, indexRate, topN, recallK, rerankK, deadlineMs, seed } = flags;
  return {
    loop: rate === undefined ? 'closed' : 'rate',
    connections,
    ratePerSecond: rate ?? null,
    durationSeconds: duration,
    warmupSeconds: warmup,
    mix,
    indexPerSecond: indexRate,
    topN,
    recallK,
    rerankK,
    deadlineMs,
    seed: seed ?? Date.now() % 2 ** 32,
  };
}

function mix(text: string): Mix {
  try {
    return parseMix(text);
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}

function wholeFrom(minimum: number) {
  return number(`a whole number of at least ${minimum}`, (value) => Number.isInteger(value) && value >= minimum);
}

function numberFrom(minimum: number) {
  return number(`a number of at least ${minimum}`, (value) => value >= minimum);
}

function numberAbove(bound: number) {
  return number(`a number above ${bound}`, (value) => value > bound);
}

function number(what: string, accepts: (value: number) => boolean): (text: string) => number {
  return (text) => {
    const value = text.trim() === '' ? Number.NaN : Number(text);
    if (!Number.isFinite(value) || !accepts(value)) throw new InvalidArgumentError(`It has to be ${what}.`);
    return value;
  };
}
