import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command, CommanderError } from 'commander';
import { isFailure } from '../core/errors.ts';
import { packageRoot } from '../core/package-root.ts';
import { EXIT } from './exit-codes.ts';

interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<Command>;
}

/** Every command by name; its module, and what that imports, is loaded only when it is called. */
const COMMANDS: readonly CommandEntry[] = [
  { name: 'serve', summary: 'run the service', load: async () => (await import('./serve.ts')).serveCommand() },
  {
    name: 'demo',
    summary: 'run the service on the default model with the sample covers',
    load: async () => (await import('./demo.ts')).demoCommand(),
  },
  {
    name: 'convert',
    summary: 'make a model bundle from a published checkpoint',
    load: async () => (await import('./convert.ts')).convertCommand(),
  },
  {
    name: 'inspect',
    summary: 'show what a checkpoint or bundle holds',
    load: async () => (await import('./inspect.ts')).inspectCommand(),
  },
  {
    name: 'export',
    summary: 'write a reranker for a GPU server',
    load: async () => (await import('./export.ts')).exportCommand(),
  },
  {
    name: 'encode',
    summary: 'embeddings of texts or pictures',
    load: async () => (await import('./encode.ts')).encodeCommand(),
  },
  {
    name: 'score',
    summary: 'all signals of texts with pictures',
    load: async () => (await import('./score.ts')).scoreCommand(),
  },
  {
    name: 'index',
    summary: 'put covers into the index',
    load: async () => (await import('./indexing/index-source.ts')).indexCommand(),
  },
  { name: 'rank', summary: 'covers for a query', load: async () => (await import('./rank.ts')).rankCommand() },
  {
    name: 'eval',
    summary: 'measure a ranking, a retrieval or a matching',
    load: async () => (await import('./eval/eval.ts')).evalCommand(),
  },
  {
    name: 'tune',
    summary: 'fit fusion weights to judgements',
    load: async () => (await import('./eval/tune.ts')).tuneCommand(),
  },
  {
    name: 'compare',
    summary: 'compare two files of predictions',
    load: async () => (await import('./eval/compare.ts')).compareCommand(),
  },
  {
    name: 'verify',
    summary: 'check the data folder',
    load: async () => (await import('./data-folder.ts')).verifyCommand(),
  },
  {
    name: 'rebuild',
    summary: 'make the graph anew from the stored covers',
    load: async () => (await import('./data-folder.ts')).rebuildCommand(),
  },
  {
    name: 'snapshot',
    summary: 'put a consistent copy of the data folder aside',
    load: async () => (await import('./data-folder.ts')).snapshotCommand(),
  },
  {
    name: 'restore',
    summary: 'make a data folder from a snapshot',
    load: async () => (await import('./data-folder.ts')).restoreCommand(),
  },
  {
    name: 'config',
    summary: 'show the effective settings and where each comes from',
    load: async () => (await import('./config.ts')).configCommand(),
  },
  {
    name: 'doctor',
    summary: 'look for what is wrong with this machine',
    load: async () => (await import('./doctor/doctor.ts')).doctorCommand(),
  },
  { name: 'key', summary: 'make an API key', load: async () => (await import('./key.ts')).keyCommand() },
  {
    name: 'openapi',
    summary: 'write the OpenAPI document of the service',
    load: async () => (await import('./openapi.ts')).openapiCommand(),
  },
];

/** Runs one command line (`process.argv`) and returns the exit code. */
export async function runCli(argv: readonly string[]): Promise<number> {
  endQuietlyWhenReaderLeaves();
  try {
    await dispatch(withoutHelpCommand(argv));
    return Number(process.exitCode ?? EXIT.done);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.wrongUse;
    report(error);
    return isFailure(error, 'invalid_config') ? EXIT.wrongUse : EXIT.failed;
  }
}

/**
 * The first pass knows the commands by name only and finds out which one is meant; the second knows that one in full.
 * So `coverrank --help` loads no native library.
 */
async function dispatch(argv: readonly string[]): Promise<void> {
  let called: CommandEntry | undefined;
  const outline = createProgram();
  for (const entry of COMMANDS) {
    outline
      .command(entry.name)
      .summary(entry.summary)
      .helpOption(false)
      .allowUnknownOption()
      .allowExcessArguments()
      .action(() => {
        called = entry;
      });
  }
  await outline.parseAsync(argv);
  if (called === undefined) return;
  const command = await called.load();
  const program = createProgram();
  inheritSettings(command, program);
  program.addCommand(command);
  await program.parseAsync(argv);
}

/** How help and errors are shown, for a command that was made apart and for the commands inside it. */
function inheritSettings(command: Command, from: Command): void {
  command.copyInheritedSettings(from);
  for (const inner of command.commands) inheritSettings(inner, command);
}

/** `help X` is `X --help`: only the command itself knows its options. One that does not exist is left to be an error. */
function withoutHelpCommand(argv: readonly string[]): readonly string[] {
  const [node = '', script = '', first, name] = argv;
  if (first !== 'help' || name === undefined) return argv;
  return [node, script, name, ...(COMMANDS.some((entry) => entry.name === name) ? ['--help'] : [])];
}

function createProgram(): Command {
  const { version } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as { version: string };
  return new Command('coverrank')
    .description('Search ranking for short-video covers.')
    .version(version)
    .option('--json', 'print JSON for programs')
    .option('--config <file>', 'configuration file (default: coverrank.config.json of the working folder)')
    .showHelpAfterError('(coverrank <command> --help tells more)')
    .configureHelp({ showGlobalOptions: true })
    .exitOverride();
}

function report(error: unknown): void {
  const detail = error instanceof Error ? error.message : String(error);
  process.stderr.write(`coverrank: ${detail}\n`);
  if (process.env['COVERRANK_DEBUG'] && error instanceof Error) {
    process.stderr.write(`${error.stack}\n`);
    if (error.cause !== undefined) process.stderr.write(`cause: ${(error.cause as Error)?.stack ?? error.cause}\n`);
  }
}

/** `coverrank … | head` is a fine thing to do. */
function endQuietlyWhenReaderLeaves(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(EXIT.done);
    throw error;
  });
}
