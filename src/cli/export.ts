import { Command, Option } from 'commander';
import { loadConfig } from '../config.ts';
import { exportTriton, type TritonExportReport } from '../convert/triton/export-triton.ts';
import { wholeNumber } from './arguments.ts';
import { note, print, printJson } from './output.ts';
import { isJson } from './settings.ts';

interface TritonFlags {
  readonly model?: string;
  readonly out: string;
  readonly name?: string;
  readonly force: boolean;
  readonly device: 'gpu' | 'cpu';
  readonly instances: number;
  readonly maxBatch: number;
  readonly queueDelayUs: number;
  readonly queueTimeoutMs: number;
  readonly maxQueued: number;
  readonly standardOperators: boolean;
}

/** `coverrank export …`: a bundle's reranker for another program to serve. */
export function exportCommand(): Command {
  return new Command('export')
    .description("write a bundle's reranker in the form that another server wants")
    .addCommand(tritonCommand());
}

function tritonCommand(): Command {
  return new Command('triton')
    .summary('model repository for a Triton inference server')
    .description("Write a bundle's reranker into a Triton model repository, for its ONNX Runtime backend.")
    .option('--model <dir>', 'the bundle; the one that the configuration reranks with by default')
    .requiredOption('--out <repository>', 'the model repository; made when it is not there')
    .option('--name <name>', "the model's name on the server; the bundle's by default")
    .option('--force', 'replace the model of this name', false)
    .addOption(new Option('--device <kind>', 'where instances run').choices(['gpu', 'cpu']).default('gpu'))
    .option('--instances <n>', 'copies of the model on each device', wholeNumber(1), 1)
    .option('--max-batch <n>', 'pairs of one run', wholeNumber(1), 128)
    .option('--queue-delay-us <n>', 'microseconds that a batch may wait for company', wholeNumber(0), 500)
    .option('--queue-timeout-ms <n>', 'milliseconds after which a waiting request is refused', wholeNumber(1), 1000)
    .option('--max-queued <n>', 'requests that may wait', wholeNumber(1), 256)
    .option(
      '--standard-operators',
      "leave out ONNX Runtime's own operators, for TensorRT; not for an int8 bundle",
      false,
    )
    .action(async (flags: TritonFlags, command: Command) => {
      const { openBundle, openGraph } = await import('../services.ts');
      const bundle = await openBundle(flags.model ?? configuredReranker(command));
      const { queueTimeoutMs, force, ...options } = flags;
      const report = await exportTriton(
        {
          bundle,
          out: options.out,
          name: options.name,
          replace: force,
          device: options.device,
          instances: options.instances,
          maxBatch: options.maxBatch,
          queueDelayUs: options.queueDelayUs,
          queueTimeoutUs: queueTimeoutMs * 1000,
          maxQueued: options.maxQueued,
          standardOperators: options.standardOperators,
        },
        openGraph,
      );
      tell(report, bundle.ref.hash, isJson(command));
    });
}

/** The settings come from file and environment alone: `--device` has a meaning of its own here. */
function configuredReranker(command: Command): string {
  const { config } = loadConfig({ file: command.optsWithGlobals<{ config?: string }>().config });
  return config.rerank_model || config.model;
}

function tell({ name, path, bytes, selfTestDifference, notes }: TritonExportReport, hash: string, json: boolean): void {
  if (json) {
    printJson({ name, path, hash, bytes, self_test_difference: selfTestDifference, notes });
    return;
  }
  print(`written    ${path}: ${(bytes / 1e6).toFixed(1)} MB`);
  print(`hash       ${hash}`);
  print(`self-test  differs by ${selfTestDifference.toExponential(1)} from what the bundle recorded`);
  print(
    `serve      tritonserver --model-repository=… and coverrank serve --rerank-url http://HOST:8000/v2/models/${name}`,
  );
  for (const line of notes) note(`note: ${line}`);
}
