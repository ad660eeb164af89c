import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { copyFile, cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { packageRoot } from '../../../src/core/package-root.ts';

/** A Python that has nvidia-pytriton (which carries a Triton server) and onnxruntime installed. */
const PYTHON = process.env['TRITON_PYTHON'] ?? 'python3';
const START_TIMEOUT_MS = 90_000;

export interface Triton {
  readonly url: string;
  /** What the model did so far: requests' rows, and runs they were joined to. */
  counts(model: string): Promise<{ readonly pairs: number; readonly runs: number }>;
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>;
}

interface Installation {
  readonly sitePackages: string;
  readonly version: string;
}

/** Where Triton is, or why the suite cannot run. */
export function findTriton(): Installation | string {
  const script = [
    'import onnxruntime, pytriton, sys, sysconfig',
    'print(sysconfig.get_paths()["purelib"])',
    'print("%d.%d" % sys.version_info[:2])',
  ].join('\n');
  const { status, stdout } = spawnSync(PYTHON, ['-c', script], { encoding: 'utf8' });
  const [sitePackages = '', version = ''] = (stdout ?? '').split('\n');
  if (status === 0 && existsSync(join(sitePackages, 'pytriton/tritonserver/bin/tritonserver'))) {
    return { sitePackages, version };
  }
  return `Triton is not installed for ${PYTHON} (pip install nvidia-pytriton onnxruntime; TRITON_PYTHON names another)`;
}

/** Reads a config.pbtxt with the server's own schema and answers it as JSON; throws when it does not parse. */
export function parseModelConfig(file: string): Record<string, unknown> {
  const script = [
    'import sys',
    'from google.protobuf import json_format, text_format',
    'from tritonclient.grpc import model_config_pb2',
    'config = text_format.Parse(open(sys.argv[1]).read(), model_config_pb2.ModelConfig())',
    'print(json_format.MessageToJson(config, preserving_proto_field_name=True))',
  ].join('\n');
  const { status, stdout, stderr } = spawnSync(PYTHON, ['-c', script, file], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as Record<string, unknown>;
}

/** Makes an exported model one that the Python backend can load: the same files, and `model.py` to run them. */
export async function usePythonBackend(modelFolder: string): Promise<void> {
  const file = join(modelFolder, 'config.pbtxt');
  const config = await readFile(file, 'utf8');
  const changed = config
    .replace('backend: "onnxruntime"', 'backend: "python"')
    .replace('default_model_filename: "model.onnx"', 'default_model_filename: "model.py"');
  await writeFile(file, changed);
  await copyFile(join(packageRoot, 'test/regression/triton/model.py'), join(modelFolder, '1/model.py'));
}

/** Puts Triton's Python backend together with its helper program for this Python's version. */
export async function layOutBackends({ sitePackages, version }: Installation, folder: string): Promise<void> {
  const root = join(sitePackages, 'pytriton/tritonserver');
  await mkdir(folder, { recursive: true });
  await cp(join(root, 'backends/python'), join(folder, 'python'), { recursive: true });
  const stub = 'triton_python_backend_stub';
  await copyFile(join(root, 'python_backend_stubs', version, stub), join(folder, 'python', stub));
}

export interface TritonOptions {
  readonly installation: Installation;
  readonly repository: string;
  readonly backends: string;
  /** 0 picks one. */
  readonly port: number;
}

/** Starts a server and waits until it is ready. */
export async function startTriton({ installation, repository, backends, port }: TritonOptions): Promise<Triton> {
  const { sitePackages } = installation;
  const httpPort = port === 0 ? await freePort() : port;
  const server = spawn(
    join(sitePackages, 'pytriton/tritonserver/bin/tritonserver'),
    [
      `--model-repository=${repository}`,
      `--backend-directory=${backends}`,
      `--http-port=${httpPort}`,
      '--http-address=127.0.0.1',
      '--allow-grpc=false',
      '--allow-metrics=false',
      '--strict-readiness=true',
      '--disable-auto-complete-config',
    ],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: {
        ...process.env,
        LD_LIBRARY_PATH: join(sitePackages, 'nvidia_pytriton.libs'),
        PYTHONPATH: sitePackages,
      },
    },
  );
  const log: string[] = [];
  server.stderr.setEncoding('utf8').on('data', (text: string) => log.push(text));
  const url = `http://127.0.0.1:${httpPort}`;
  await untilReady(server, url, log);
  return {
    url,
    async counts(model) {
      const response = await fetch(`${url}/v2/models/${model}/stats`);
      const [stats] = ((await response.json()) as { model_stats: Record<string, number>[] }).model_stats;
      return { pairs: stats?.['inference_count'] ?? 0, runs: stats?.['execution_count'] ?? 0 };
    },
    async kill() {
      if (server.exitCode !== null || server.signalCode !== null) return;
      server.kill('SIGKILL');
      await once(server, 'exit');
    },
  };
}

async function untilReady(server: ChildProcess, url: string, log: readonly string[]): Promise<void> {
  const startedAt = performance.now();
  while (performance.now() - startedAt < START_TIMEOUT_MS) {
    if (server.exitCode !== null) break;
    const isReady = await fetch(`${url}/v2/health/ready`)
      .then(({ status }) => status === 200)
      .catch(() => false);
    if (isReady) return;
    await setTimeout(100);
  }
  server.kill('SIGKILL');
  const errors = log
    .join('')
    .split('\n')
    .filter((line) => /^(E\d|error)/.test(line));
  throw new Error(`Triton did not become ready:\n${errors.join('\n')}`);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}
