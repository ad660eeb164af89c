import { type FileHandle, open as openFile, readFile } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { GraphSession, Tensor } from '../../src/core/ports.ts';
import { openGraph } from '../convert/golden-model.ts';

/** What the peer does to its next answers to /infer; `times` ends it. */
export type Fault = { times?: number } & (
  | { readonly kind: 'latency'; readonly ms: number }
  | { readonly kind: 'reset' }
  | { readonly kind: 'truncate' }
  | { readonly kind: 'status'; readonly status: number; readonly body: string }
  | { readonly kind: 'rows'; readonly add: number }
  /** The first score, or the one of that pair. */
  | { readonly kind: 'nan'; readonly pair?: number }
  | { readonly kind: 'garbage' }
  | { readonly kind: 'json' }
);

export interface SeenCall {
  readonly pairs: number;
  /** Of the whole body. */
  readonly bytes: number;
  readonly timeoutUs: number;
  readonly trace: { readonly traceparent: string | undefined; readonly tracestate: string | undefined };
}

export interface InferencePeer {
  readonly url: string;
  readonly port: number;
  readonly calls: readonly SeenCall[];
  /** Most calls that were open at the same time. */
  readonly mostAtOnce: number;
  fault: Fault | undefined;
  /** Whether health and model say ready. */
  isReady: boolean;
  /** Takes connections and answers nothing but /infer. */
  isSilent: boolean;
  /** Answered in place of the model's configuration's hash; null: the server has no configuration to tell. */
  hash: string | null;
  /** `refused`: the extension is there, but the memory is not the same as the caller's. */
  sharedMemory: 'none' | 'offered' | 'refused';
  /** Shared memory that is mapped now, by name. */
  readonly regions: Map<string, FileHandle>;
  /** Laid over the model's metadata. */
  metadata: Record<string, unknown>;
  close(): Promise<void>;
}

type State = { -readonly [Name in keyof Omit<InferencePeer, 'url' | 'port' | 'close'>]: InferencePeer[Name] };

interface WirePort {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly parameters?: {
    readonly binary_data_size?: number;
    readonly shared_memory_region?: string;
    readonly shared_memory_offset?: number;
    readonly shared_memory_byte_size?: number;
  };
}

/**
 * A server of the Open Inference Protocol that runs an exported model. It reads and writes the wire format in its own
 * way, knows one model, and misbehaves on request.
 */
export async function startPeer(modelFolder: string, port = 0): Promise<InferencePeer> {
  const config = await readFile(join(modelFolder, 'config.pbtxt'), 'utf8');
  const graph = await openGraph(join(modelFolder, '1/model.onnx'));
  const model = describe(config);
  const calls: SeenCall[] = [];
  const regions = new Map<string, FileHandle>();
  let open = 0;
  const peer: State = {
    fault: undefined,
    isReady: true,
    isSilent: false,
    hash: model.hash,
    metadata: {},
    mostAtOnce: 0,
    calls,
    sharedMemory: 'none',
    regions,
  };

  const server = createServer((request, response) => {
    void handle(request, response).catch((error: Error) => answer(response, 500, { error: error.message }));
  });

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? '';
    const root = `/v2/models/${model.name}`;
    if (peer.isSilent && path !== `${root}/infer`) return;
    if (path === '/v2/health/ready') return answer(response, peer.isReady ? 200 : 400, {});
    if (path === '/v2') {
      const extensions = peer.sharedMemory === 'none' ? [] : ['system_shared_memory'];
      return answer(response, 200, { name: 'peer', extensions });
    }
    const region = /^\/v2\/systemsharedmemory\/region\/([^/]+)\/(\w+)$/.exec(path);
    if (region !== null) return manageRegion(region[1] ?? '', region[2] ?? '', request, response);
    if (!path.startsWith(root)) return answer(response, 404, { error: 'unknown model' });
    if (path === `${root}/ready`) return answer(response, peer.isReady ? 200 : 400, {});
    if (path === root) return answer(response, 200, { ...model.metadata, ...peer.metadata });
    if (path === `${root}/config`) {
      if (peer.hash === null) return answer(response, 404, { error: 'no such extension' });
      return answer(response, 200, { max_batch_size: model.maxBatch, parameters: parametersOf(model, peer.hash) });
    }
    open += 1;
    peer.mostAtOnce = Math.max(peer.mostAtOnce, open);
    try {
      await infer(await bodyOf(request), request.headers, response);
    } finally {
      open -= 1;
    }
  }

  async function manageRegion(
    name: string,
    verb: string,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    if (verb === 'status') return answer(response, regions.has(name) ? 200 : 404, []);
    if (peer.sharedMemory === 'refused') return answer(response, 500, { error: 'Unable to open shared memory region' });
    if (verb === 'register') {
      const { key } = JSON.parse((await bodyOf(request)).toString('utf8')) as { key: string };
      regions.set(name, await openFile(`/dev/shm${key}`));
    } else {
      await regions.get(name)?.close();
      regions.delete(name);
    }
    answer(response, 200, {});
  }

  async function infer(body: Buffer, headers: IncomingHttpHeaders, response: ServerResponse): Promise<void> {
    const headerBytes = Number(headers['inference-header-content-length']);
    const header = JSON.parse(body.toString('utf8', 0, headerBytes)) as {
      inputs: WirePort[];
      parameters: { timeout: number };
    };
    calls.push({
      pairs: header.inputs[0]?.shape[0] ?? 0,
      bytes: body.length,
      timeoutUs: header.parameters.timeout,
      trace: { traceparent: one(headers['traceparent']), tracestate: one(headers['tracestate']) },
    });
    const fault = takeFault(peer);
    if (fault?.kind === 'latency') await setTimeout(fault.ms);
    if (fault?.kind === 'reset') return void response.socket?.resetAndDestroy();
    if (fault?.kind === 'status') return answer(response, fault.status, fault.body);
    if (fault?.kind === 'garbage') return answer(response, 200, '<html>It works!</html>');
    const scores = await run(graph, header.inputs, body.subarray(headerBytes), regions);
    if (fault?.kind === 'json') {
      const outputs = scores.map((score) => ({ ...score, data: [...score.data] }));
      return answer(response, 200, { model_name: model.name, outputs });
    }
    sendBinary(
      response,
      scores.map((score) => distort(score, fault)),
      fault?.kind === 'truncate',
    );
  }

  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const address = server.address() as AddressInfo;
  return Object.assign(peer, {
    port: address.port,
    url: `http://127.0.0.1:${address.port}`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      for (const region of regions.values()) await region.close();
      await graph.close();
    },
  });
}

interface Score {
  readonly name: string;
  readonly datatype: 'FP32';
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

async function run(
  graph: GraphSession,
  ports: readonly WirePort[],
  bytes: Buffer,
  regions: ReadonlyMap<string, FileHandle>,
): Promise<Score[]> {
  let offset = 0;
  const inputs: [string, Tensor][] = [];
  for (const { name, datatype, shape, parameters = {} } of ports) {
    const size = parameters.binary_data_size ?? 0;
    const part = Uint8Array.from(bytes.subarray(offset, offset + size));
    offset += size;
    const region = parameters.shared_memory_region;
    const content = region === undefined ? part : new Uint8Array(parameters.shared_memory_byte_size ?? 0);
    if (region !== undefined) {
      await regions.get(region)?.read(content, 0, content.length, parameters.shared_memory_offset ?? 0);
    }
    inputs.push([name, tensorOf(datatype, shape, content.buffer)]);
  }
  if (offset !== bytes.length) throw new Error('the body does not end where its header says');
  const outputs = await graph.run(Object.fromEntries(inputs));
  return Object.entries(outputs).map(([name, { dims, data }]) => ({
    name,
    datatype: 'FP32',
    shape: dims,
    data: data as Float32Array,
  }));
}

function tensorOf(datatype: string, dims: readonly number[], buffer: ArrayBuffer): Tensor {
  if (datatype === 'INT64') return { type: 'int64', dims, data: new BigInt64Array(buffer) };
  if (datatype === 'INT8') return { type: 'int8', dims, data: new Int8Array(buffer) };
  return { type: 'float32', dims, data: new Float32Array(buffer) };
}

function distort(score: Score, fault: Fault | undefined): Score {
  if (fault?.kind === 'nan')
    return { ...score, data: score.data.map((value, row) => (row === (fault.pair ?? 0) ? Number.NaN : value)) };
  if (fault?.kind !== 'rows') return score;
  const rows = score.data.length + fault.add;
  return { ...score, shape: [rows, 1], data: Float32Array.from({ length: rows }, (_, row) => score.data[row] ?? 0) };
}

function sendBinary(response: ServerResponse, scores: readonly Score[], truncate: boolean): void {
  const outputs = scores.map(({ data, ...port }) => ({ ...port, parameters: { binary_data_size: data.byteLength } }));
  const header = Buffer.from(JSON.stringify({ model_name: 'm', model_version: '1', outputs }));
  const body = Buffer.concat([
    header,
    ...scores.map(({ data }) => Buffer.from(data.buffer, data.byteOffset, data.byteLength)),
  ]);
  response.writeHead(200, {
    'content-type': 'application/octet-stream',
    'content-length': body.length,
    'inference-header-content-length': header.length,
  });
  if (!truncate) return void response.end(body);
  response.write(body.subarray(0, body.length - 3), () => response.socket?.destroy());
}

function one(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header.join() : header;
}

/** Triton calls its error documents plain text now and then, so nobody may rely on the type. */
function answer(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'text/plain' });
  response.end(typeof body === 'string' ? body : JSON.stringify(body));
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

function takeFault(peer: { fault: Fault | undefined }): Fault | undefined {
  const { fault } = peer;
  if (fault?.times !== undefined) {
    if (fault.times <= 0) return undefined;
    fault.times -= 1;
  }
  return fault;
}

/** What a server that read config.pbtxt would tell. */
function describe(config: string) {
  const one = (pattern: RegExp): string => pattern.exec(config)?.[1] ?? '';
  const ports = (kind: string) => {
    const block = new RegExp(`^${kind} \\[\\n([^\\]]*?(?:\\][^\\]]*?)*?)\\n\\]`, 'm').exec(config)?.[1] ?? '';
    return [...block.matchAll(/name: "(\w+)" data_type: TYPE_(\w+) dims: \[ ([\d, ]+) \]/g)].map(
      ([, name, datatype, dims]) => ({ name, datatype, shape: [-1, ...(dims ?? '').split(', ').map(Number)] }),
    );
  };
  return {
    name: one(/^name: "([^"]+)"/m),
    maxBatch: Number(one(/^max_batch_size: (\d+)/m)),
    bundle: one(/key: "coverrank_bundle" value { string_value: "([^"]+)"/),
    hash: one(/key: "coverrank_bundle_hash" value { string_value: "([^"]+)"/) as string | null,
    metadata: { versions: ['1'], platform: 'onnxruntime_onnx', inputs: ports('input'), outputs: ports('output') },
  };
}

function parametersOf({ bundle }: { readonly bundle: string }, hash: string): Record<string, unknown> {
  return { coverrank_bundle: { string_value: bundle }, coverrank_bundle_hash: { string_value: hash } };
}
