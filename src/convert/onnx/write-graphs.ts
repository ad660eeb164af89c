import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  elementCount,
  encodePort,
  type GraphContent,
  type Initializer,
  type InitializerGroup,
  MICROSOFT,
  type TensorData,
} from './graph.ts';
import { DATA_TYPE, EXTERNAL, encodeModel } from './onnx-proto.ts';

/** Standard operators of this version are used; Resize has `antialias` since 18. */
const OPSET = 18;
const IR_VERSION = 9;

/** Initializers up to this size are kept inside the graph file. */
const MAX_INLINE_BYTES = 1024;

/** Every tensor starts on a cache line, large ones on a page so that they can be mapped. */
const ALIGNMENT = 64;
const PAGE_ALIGNMENT = 4096;
const PAGE_ALIGNED_FROM_BYTES = 1_048_576;

export interface GraphFile {
  readonly file: string;
  readonly graph: GraphContent;
}

type Placed =
  | { readonly initializer: Initializer; readonly data: Uint8Array }
  | { readonly initializer: Initializer; readonly offset: number; readonly length: number };

/**
 * Writes graphs that share one file of weights into `folder`. Initializers of one name are one tensor. Weights are read
 * and written group by group, so that memory holds one of them at a time.
 */
export async function writeGraphs(folder: string, dataFile: string, graphs: readonly GraphFile[]): Promise<void> {
  const placed = await writeInitializers(join(folder, dataFile), distinctGroups(graphs));
  for (const { file, graph } of graphs) {
    const model = {
      irVersion: IR_VERSION,
      producerName: 'coverrank',
      opsetImport: [
        { domain: '', version: OPSET },
        { domain: MICROSOFT, version: 1 },
      ],
      graph: {
        name: graph.name,
        node: graph.nodes,
        input: graph.inputs.map(encodePort),
        output: graph.outputs.map(encodePort),
        initializer: graph.groups
          .flatMap(({ initializers }) => initializers)
          .map(({ name }) => encodeInitializer(placed.get(name) as Placed, dataFile)),
      },
    };
    await writeFile(join(folder, file), encodeModel(model));
  }
}

function distinctGroups(graphs: readonly GraphFile[]): InitializerGroup[] {
  const groups = new Map<string, InitializerGroup>();
  for (const { graph } of graphs) {
    for (const group of graph.groups) groups.set(group.initializers[0]?.name ?? '', group);
  }
  return [...groups.values()];
}

async function writeInitializers(path: string, groups: readonly InitializerGroup[]): Promise<Map<string, Placed>> {
  const placed = new Map<string, Placed>();
  const isLarge = groups.some(({ initializers }) => initializers.some((item) => byteLength(item) > MAX_INLINE_BYTES));
  const file = isLarge ? await open(path, 'w') : undefined;
  try {
    let end = 0;
    for (const { initializers, load } of groups) {
      const values = await load();
      for (const [index, initializer] of initializers.entries()) {
        const data = bytesOf(values[index] as TensorData);
        if (data.byteLength !== byteLength(initializer)) {
          throw new RangeError(`${initializer.name} has ${data.byteLength} bytes of ${byteLength(initializer)}`);
        }
        if (file === undefined || data.byteLength <= MAX_INLINE_BYTES) {
          placed.set(initializer.name, { initializer, data });
          continue;
        }
        const offset = align(end, data.byteLength);
        await writeAll(file, data, offset);
        placed.set(initializer.name, { initializer, offset, length: data.byteLength });
        end = offset + data.byteLength;
      }
    }
  } finally {
    await file?.close();
  }
  return placed;
}

async function writeAll(file: Awaited<ReturnType<typeof open>>, data: Uint8Array, position: number): Promise<void> {
  let written = 0;
  while (written < data.byteLength) {
    const { bytesWritten } = await file.write(data, written, data.byteLength - written, position + written);
    written += bytesWritten;
  }
}

function encodeInitializer(placed: Placed, dataFile: string): Record<string, unknown> {
  const { name, type, shape } = placed.initializer;
  const head = { name, dims: [...shape], dataType: DATA_TYPE[type] };
  if ('data' in placed) return { ...head, rawData: placed.data };
  return {
    ...head,
    dataLocation: EXTERNAL,
    externalData: [
      { key: 'location', value: dataFile },
      { key: 'offset', value: String(placed.offset) },
      { key: 'length', value: String(placed.length) },
    ],
  };
}

const ELEMENT_BYTES = { float32: 4, uint8: 1, int8: 1, int32: 4, int64: 8, float16: 2 } as const;

function byteLength({ type, shape }: Initializer): number {
  return elementCount(shape) * ELEMENT_BYTES[type];
}

function align(position: number, length: number): number {
  const alignment = length >= PAGE_ALIGNED_FROM_BYTES ? PAGE_ALIGNMENT : ALIGNMENT;
  return Math.ceil(position / alignment) * alignment;
}

function bytesOf(data: TensorData): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
