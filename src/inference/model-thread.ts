import { failure } from '../core/errors.ts';
import type { GraphSession, Tensor, TensorMap } from '../core/ports.ts';
import { moved, serveThread } from '../core/thread.ts';
import { giveWay } from './priority.ts';
import { type Device, loadGraph } from './session.ts';

/** A worker thread that owns the graphs of one model part. Loading and running block it and nobody else. */
export interface ModelThreadData {
  /** Files by graph name. */
  readonly graphs: Readonly<Record<string, string>>;
  readonly threads: number;
  readonly device: Device;
  /** How far its work gives way to that of other threads. */
  readonly niceness: number;
}

export interface RunRequest {
  readonly graph: string;
  readonly inputs: TensorMap;
  readonly outputs?: readonly string[];
  /** Inputs that come back with the outputs, so that the caller can use their memory again. */
  readonly lent?: readonly string[];
}

/** A decoded picture: RGB, row by row, [height, width, 3]. */
export interface RgbImage {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
}

export type ModelThreadMethods = {
  run(request: RunRequest): Promise<TensorMap>;
  /** Pictures through `preprocess` one by one (their sizes differ), then through `image` as one batch. */
  encodeImages(request: { images: readonly RgbImage[]; outputs: readonly string[] }): Promise<TensorMap>;
  /** The pixel_values, [n, 3, R, R], that `preprocess` makes of pictures. */
  preprocess(request: { images: readonly RgbImage[] }): Promise<Tensor>;
};

await serveThread<ModelThreadData>(async ({ graphs, threads, device, niceness }) => {
  giveWay(niceness);

  const loaded = new Map<string, GraphSession>();
  for (const [name, file] of Object.entries(graphs)) {
    // Pictures are resized exactly as at training only by the CPU's operator.
    loaded.set(name, await loadGraph(file, { threads, device: name === 'preprocess' ? 'cpu' : device }));
  }

  function graph(name: string): GraphSession {
    const found = loaded.get(name);
    if (found === undefined) throw failure('internal', `The model has no ${name} graph.`);
    return found;
  }

  async function pixelValues(images: readonly RgbImage[]): Promise<Tensor> {
    const pictures: Tensor[] = [];
    for (const { data, width, height } of images) {
      const image: Tensor = { type: 'uint8', dims: [height, width, 3], data };
      pictures.push(requireOutput(await graph('preprocess').run({ image }), 'pixel_values'));
    }
    return stack(pictures);
  }

  return {
    async run({ graph: name, inputs, outputs, lent = [] }: RunRequest) {
      const computed = movedTensors(await graph(name).run(inputs, outputs));
      const returned = Object.fromEntries(Object.entries(inputs).filter(([input]) => lent.includes(input)));
      const buffers = Object.values(returned).map(({ data }) => data.buffer as ArrayBuffer);
      return moved({ ...computed.value, ...returned }, [...computed.transfer, ...buffers]);
    },
    async encodeImages({ images, outputs }: { images: readonly RgbImage[]; outputs: readonly string[] }) {
      return movedTensors(await graph('image').run({ pixel_values: await pixelValues(images) }, outputs));
    },
    async preprocess({ images }: { images: readonly RgbImage[] }) {
      const pixels = await pixelValues(images);
      return moved(pixels, [pixels.data.buffer as ArrayBuffer]);
    },
  };
});

/** Float tensors [1, ...] put together to one [n, ...]. */
function stack(tensors: readonly Tensor[]): Tensor {
  const [first] = tensors;
  if (first === undefined) throw failure('internal', 'There is no picture to encode.');
  const data = new Float32Array(first.data.length * tensors.length);
  tensors.forEach((tensor, index) => {
    data.set(tensor.data as Float32Array, index * first.data.length);
  });
  return { type: 'float32', dims: [tensors.length, ...first.dims.slice(1)], data };
}

function requireOutput(outputs: TensorMap, name: string): Tensor {
  const tensor = outputs[name];
  if (tensor === undefined) throw failure('internal', `The graph gave no ${name}.`);
  return tensor;
}

function movedTensors(tensors: TensorMap) {
  // A tensor whose buffer is shared with others (a view) is copied first: moving it would take the others along.
  const own = Object.fromEntries(
    Object.entries(tensors).map(([name, tensor]) => {
      const whole = tensor.data.byteLength === tensor.data.buffer.byteLength;
      return [name, whole ? tensor : { ...tensor, data: tensor.data.slice() }];
    }),
  );
  return moved(own, [...new Set(Object.values(own).map((tensor) => tensor.data.buffer as ArrayBuffer))]);
}
