import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import type { GraphSession, Tensor } from '../core/ports.ts';

/** The one importer of onnxruntime-node. Loading and running block the calling thread: do it in a worker thread. */
export interface GraphOptions {
  /** Threads inside one operator. */
  readonly threads: number;
}

/** Loads an ONNX file with its external data. Rejects with ONNX Runtime's own message when the graph is not valid. */
export async function loadGraph(file: string, options: GraphOptions): Promise<GraphSession> {
  const session = await InferenceSession.create(file, {
    executionProviders: ['cpu'],
    graphOptimizationLevel: 'all',
    intraOpNumThreads: options.threads,
    interOpNumThreads: 1,
    // Spinning threads would take the cores from the other models' threads.
    extra: { session: { intra_op: { allow_spinning: '0' }, inter_op: { allow_spinning: '0' } } },
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

function toOrt({ type, data, dims }: Tensor): OrtTensor {
  return new OrtTensor(type, data as never, dims);
}

function fromOrt(tensor: OrtTensor): Tensor {
  return { type: tensor.type, data: tensor.data, dims: tensor.dims } as Tensor;
}
