import { Command } from 'commander';
import { type BundleSummary, type CheckpointSummary, type Guess, inspect } from '../convert/inspect.ts';
import { formatTable, print, printJson } from './output.ts';

/** `coverrank inspect CHECKPOINT|BUNDLE`: what is in it, and what it is taken for. */
export function inspectCommand(): Command {
  return new Command('inspect')
    .description('show tensors, shapes and architecture of a checkpoint, or graphs and settings of a bundle')
    .argument('<path>', 'a checkpoint file or a bundle folder')
    .action(async (path: string, _flags: unknown, command: Command) => {
      const summary = await inspect(path);
      if (command.optsWithGlobals<{ json?: boolean }>().json === true) {
        printJson(summary.kind === 'bundle' ? { kind: summary.kind, ...summary.manifest } : checkpointJson(summary));
      } else if (summary.kind === 'bundle') printBundle(summary);
      else printCheckpoint(summary);
    });
}

function checkpointJson(summary: CheckpointSummary): Record<string, unknown> {
  const { guess, ...rest } = summary;
  if (guess.architecture === null) return { ...rest, architecture: null, reason: guess.reason };
  const { dropped, unknown } = guess.mapping;
  return { ...rest, architecture: guess.architecture, sizes: guess.sizes, dropped, unknown };
}

function printCheckpoint({ format, parameters, guess, tensors, others }: CheckpointSummary): void {
  print(
    formatTable(
      ['tensor', 'type', 'shape'],
      tensors.map(({ name, type, shape }) => [name, type, `[${shape.join(', ')}]`]),
    ),
  );
  print(`${format}, ${tensors.length} tensors, ${(parameters / 1e6).toFixed(1)} M numbers`);
  if (others.length > 0) print(`no tensors: ${others.join(', ')}`);
  for (const line of describeGuess(guess)) print(line);
}

function describeGuess(guess: Guess): string[] {
  if (guess.architecture === null) return [`architecture: undetermined. ${guess.reason}`];
  const sizes = Object.entries(guess.sizes).map(([name, size]) => `${name} ${size}`);
  return [
    `architecture: ${guess.architecture}`,
    `  sizes       ${sizes.join(', ')}; heads are not in the weights`,
    `  of no use   ${guess.mapping.dropped.join(', ') || 'none'}`,
    `  unknown     ${guess.mapping.unknown.join(', ') || 'none'}`,
  ];
}

function printBundle({ manifest }: BundleSummary): void {
  const ports = Object.entries(manifest.graphs).flatMap(([graph, { precision, inputs, outputs }]) => [
    ...inputs.map(({ name, type, shape }) => [graph, precision, 'in', name, type, `[${shape.join(', ')}]`]),
    ...outputs.map(({ name, type, shape }) => [graph, precision, 'out', name, type, `[${shape.join(', ')}]`]),
  ]);
  print(formatTable(['graph', 'precision', '', 'tensor', 'type', 'shape'], ports));
  print(`bundle ${manifest.name}: ${manifest.architecture}`);
  print(`  hash        ${manifest.hash}`);
  print(`  embedding   ${manifest.embedding_dim}`);
  print(`  context     ${manifest.tokenizer.context_length} tokens`);
  print(`  image       ${manifest.image.size} px, decoding ${manifest.image.decoding}`);
  print(`  signals     ${manifest.signals.join(', ')}; weights ${JSON.stringify(manifest.fusion)}`);
  const files = Object.entries(manifest.files);
  const bytes = files.reduce((sum, [, file]) => sum + file.bytes, 0);
  print(`  files       ${files.length}, ${(bytes / 1e6).toFixed(1)} MB`);
}
