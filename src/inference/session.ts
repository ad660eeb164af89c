import './no-telemetry.ts';

import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import { int8Instructions } from '../core/cpu-flags.ts';
import { failure } from '../core/errors.ts';
import type { GraphSession, Tensor } from '../core/ports.ts';

/** The one importer of onnxruntime-node. Loading and running block the calling thread: do it in a worker thread. */
export interface GraphOptions {
  /** Threads inside one operator. */
  readonly threads: number;
  /** `cpu` unless it is given. */
  readonly device?: Device;
}

/** Where operators run; with `cuda` those that have no CUDA form run on the CPU. */
export type Device = 'cpu' | 'cuda';

/**
 * How long a graph's threads stay awake after one of its operators, in microseconds. To be woken costs each of some 200
 * operators of a text 20 to 50, most where the cores had been resting; threads awake for longer would take the cores from the
 * other models'.
 */
const SPIN_US = '500';

/**
 * Loads an ONNX file with its external data. Rejects with ONNX Runtime's own message when the graph is not valid, and
 * with `invalid_config` when the device cannot be had: it never falls back to another.
 */
export async function loadGraph(file: string, options: GraphOptions): Promise<GraphSession> {
  const { device = 'cpu' } = options;
  const session = await InferenceSession.create(file, {
    executionProviders: device === 'cuda' ? ['cuda', 'cpu'] : ['cpu'],
    graphOptimizationLevel: 'all',
    intraOpNumThreads: options.threads,
    interOpNumThreads: 1,
    extra: {
      session: {
        intra_op: { allow_spinning: '1', spin_duration_us: SPIN_US },
        inter_op: { allow_spinning: '0' },
        ...(cutsOffProducts() ? { x64quantprecision: '1' } : {}),
      },
    },
  }).catch((error: unknown) => {
    throw device === 'cuda' ? deviceFailure(error) : error;
  });

  return {
    async run(inputs, outputs = session.outputNames) {
      const feeds = Object.fromEntries(Object.entries(inputs).map(([name, tensor]) => [name, toOrt(tensor)]));
      const fetched = await session.run(feeds, outputs);
      return Object.fromEntries(Object.entries(fetched).map(([name, tensor]) => [name, fromOrt(tensor)]));
    },
    close: () => session.release(),
  };
}

/**
 * Whether sums of two int8 products are cut off at 16 bits unless ONNX Runtime is told to take the exact, slower kernels: so on
 * x64 without instructions for them. Where it has those, being told would keep it from using them.
 */
function cutsOffProducts(): boolean {
  return process.arch === 'x64' && (int8Instructions() ?? []).length === 0;
}

/** Tells the lack of the provider or of a GPU from a graph that is not valid, by the words that ONNX Runtime uses. */
function deviceFailure(cause: unknown): unknown {
  const said = cause instanceof Error ? cause.message : String(cause);
  if (!/cuda|backend not found/i.test(said)) return cause;
  return failure(
    'invalid_config',
    `device is cuda, but ONNX Runtime cannot use CUDA here (${said.split('\n', 1)[0]?.trim()}). It needs Linux on x64, an NVIDIA driver, CUDA 12 and cuDNN 9, and its CUDA files, which \`ONNXRUNTIME_NODE_INSTALL=cuda12 node node_modules/onnxruntime-node/script/install.js\` fetches. Or set device to cpu, or rerank_url to a server with a GPU.`,
    { cause },
  );
}

function toOrt({ type, data, dims }: Tensor): OrtTensor {
  return new OrtTensor(type, data as never, dims);
}

function fromOrt(tensor: OrtTensor): Tensor {
  return { type: tensor.type, data: tensor.data, dims: tensor.dims } as Tensor;
}
