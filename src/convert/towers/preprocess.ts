import type { GraphBuilder, Value } from '../onnx/graph.ts';
import { DATA_TYPE } from '../onnx/onnx-proto.ts';

export interface PreprocessOptions {
  readonly size: number;
  /** Per colour, of values in 0..1. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/**
 * RGB bytes [H, W, 3] → normalised pixels [1, 3, size, size]. The resize runs on bytes with Pillow's bicubic kernel
 * (a = -0.5, antialiased, weights renormalised at the border), which equals Pillow's result to one step of 255.
 */
export function addPreprocessGraph(graph: GraphBuilder, { size, mean, std }: PreprocessOptions): void {
  const image = graph.input('image', 'uint8', ['H', 'W', 3]);
  const planes = graph.add('Transpose', [image], { perm: [2, 0, 1] });
  const batch = graph.add('Unsqueeze', [planes, graph.int64s([0])]);
  const resized = graph.add('Resize', [batch, '', '', graph.int64s([1, 3, size, size])], {
    mode: 'cubic',
    cubic_coeff_a: { float: -0.5 },
    antialias: 1,
    exclude_outside: 1,
    coordinate_transformation_mode: 'half_pixel',
  });
  const bytes = graph.add('Cast', [resized], { to: DATA_TYPE.float32 });
  const unit = graph.add('Div', [bytes, graph.floats('byte_max', [], [255])]);
  const centred = graph.add('Sub', [unit, perColour(graph, 'mean', mean)]);
  const scaled = graph.add('Div', [centred, perColour(graph, 'std', std)]);
  graph.output(scaled, 'pixel_values', 'float32', [1, 3, size, size]);
}

function perColour(graph: GraphBuilder, name: string, values: readonly number[]): Value {
  return graph.floats(name, [1, 3, 1, 1], values);
}
