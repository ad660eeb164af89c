import { Command } from 'commander';
import type { Config } from '../../config-schema.ts';
import { EXIT } from '../exit-codes.ts';
import { print, printJson } from '../output.ts';
import { configOf, isJson, withSettings } from '../settings.ts';
import {
  checkCpu,
  checkDataFolder,
  checkDisk,
  checkMemory,
  checkNativeLibraries,
  checkNode,
  checkPort,
  checkWritable,
  type Finding,
} from './machine-checks.ts';
import { checkModel, checkReranker, checkRerankServer } from './model-checks.ts';

/** `coverrank doctor`: exits with 1 when a check fails. */
export function doctorCommand(): Command {
  const command = new Command('doctor')
    .description('Check whether the service can run here as it is configured, and say what to do where it cannot.')
    .action(async () => {
      const { config } = configOf(command);
      const findings: Finding[] = [];
      for await (const finding of examine(config)) {
        findings.push(finding);
        if (!isJson(command)) show(finding);
      }
      const ok = findings.every(({ status }) => status !== 'fail');
      if (isJson(command)) printJson({ ok, checks: findings });
      if (!ok) process.exitCode = EXIT.failed;
    });
  return withSettings(command, ['host', 'port', 'data_dir', 'model', 'rerank_model', 'rerank_url']);
}

async function* examine(config: Config): AsyncGenerator<Finding> {
  yield checkNode();
  yield checkCpu();
  yield checkMemory();
  yield await checkDisk(config);
  yield await checkWritable(config);
  yield await checkPort(config);
  const libraries = await checkNativeLibraries();
  yield* libraries;
  // What needs the libraries would only say the same again, less clearly.
  if (libraries.some(({ status }) => status === 'fail')) return;
  yield await checkModel(config);
  if (config.rerank_model !== '') yield await checkReranker(config);
  if (config.rerank_url !== '') yield await checkRerankServer(config);
  yield await checkDataFolder(config);
}

function show({ check, status, detail, advice }: Finding): void {
  print(`${status.padEnd(4)}  ${check.padEnd(16)}  ${detail}`);
  if (advice !== undefined && status !== 'ok') print(`      ${''.padEnd(16)}  → ${advice}`);
}
