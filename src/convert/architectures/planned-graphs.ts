import type { BundleGraphName } from '../../core/bundle-format.ts';
import { GraphBuilder } from '../onnx/graph.ts';
import { withHalfPrecision } from '../onnx/half-precision.ts';
import type { GraphPrecision } from '../precision.ts';
import type { Tower } from '../towers/layers.ts';
import { addPreprocessGraph, type PreprocessOptions } from '../towers/preprocess.ts';
import type { WeightSource } from '../weights.ts';
import type { GraphFamily, PlannedGraph } from './bundle-plan.ts';

export type BuildGraph = (
  name: BundleGraphName,
  precision: GraphPrecision,
  add: (tower: Tower) => void,
) => PlannedGraph;

/** Makes the graphs of one model; nothing is read while they are built. */
export function graphBuilder(weights: WeightSource): BuildGraph {
  return (name, precision, add) => {
    const graph = new GraphBuilder(name);
    add({ graph, weights, precision });
    const content = precision === 'fp16' ? withHalfPrecision(graph.content()) : graph.content();
    return { name, precision, content };
  };
}

export function preprocessFamily(weights: WeightSource, image: PreprocessOptions): GraphFamily {
  const preprocess = graphBuilder(weights)('preprocess', 'fp32', ({ graph }) => addPreprocessGraph(graph, image));
  return { dataFile: 'preprocess.onnx.data', graphs: [preprocess] };
}
