import type { ResnetSizes } from '../architectures/vision-sizes.ts';
import type { Value } from '../onnx/graph.ts';
import { named, type Weight, type WeightSource } from '../weights.ts';
import { selfAttention, splitAttention } from './attention.ts';
import { linear, outputEmbedding, type Tower } from './layers.ts';

/** torch.nn.BatchNorm2d's default. */
const BATCH_NORM_EPSILON = 1e-5;

/**
 * CLIP's modified ResNet. Its stem has three convolutions; whatever would have a stride averages instead; the pool is an
 * attention whose query is the mean cell. It has no tokens that a head could read. Convolutions stay in float32.
 */
export function addResnetImageGraph(tower: Tower, vision: ResnetSizes, embeddingDim: number): void {
  const { graph } = tower;
  const pixels = graph.input('pixel_values', 'float32', ['B', 3, vision.size, vision.size]);
  const features = vision.blocks.reduce((x, count, index) => stage(tower, x, index + 1, count), stem(tower, pixels));
  outputEmbedding(tower, attentionPool(tower, features, vision), embeddingDim);
}

function stem(tower: Tower, pixels: Value): Value {
  let x = pixels;
  for (const [index, stride] of [2, 1, 1].entries()) {
    x = relu(tower, convolution(tower, x, `visual.conv${index + 1}`, `visual.bn${index + 1}`, { kernel: 3, stride }));
  }
  return averagePool(tower, x);
}

/** Bottlenecks of one stage; all stages but the first halve the sides, in their first block. */
function stage(tower: Tower, x: Value, number: number, count: number): Value {
  let y = x;
  for (let block = 0; block < count; block++) {
    y = bottleneck(tower, y, `visual.layer${number}.${block}`, {
      halves: number > 1 && block === 0,
      widens: block === 0,
    });
  }
  return y;
}

function bottleneck(tower: Tower, x: Value, name: string, shape: { halves: boolean; widens: boolean }): Value {
  const pool = (value: Value): Value => (shape.halves ? averagePool(tower, value) : value);
  const first = relu(tower, convolution(tower, x, `${name}.conv1`, `${name}.bn1`, { kernel: 1, stride: 1 }));
  const second = relu(tower, convolution(tower, first, `${name}.conv2`, `${name}.bn2`, { kernel: 3, stride: 1 }));
  const third = convolution(tower, pool(second), `${name}.conv3`, `${name}.bn3`, { kernel: 1, stride: 1 });
  const identity = shape.widens
    ? convolution(tower, pool(x), `${name}.downsample.0`, `${name}.downsample.1`, { kernel: 1, stride: 1 })
    : x;
  return relu(tower, tower.graph.add('Add', [third, identity]));
}

/** Cells with their mean before them, attended to from the mean alone, projected: [B, C, h, w] → [B, 1, D]. */
function attentionPool(tower: Tower, features: Value, { width, heads }: ResnetSizes): Value {
  const { graph, weights } = tower;
  const channels = width * 32;
  const cells = graph.add('Transpose', [graph.add('Reshape', [features, graph.int64s([0, channels, -1])])], {
    perm: [0, 2, 1],
  });
  const mean = graph.add('ReduceMean', [cells, graph.int64s([1])], { keepdims: 1 });
  const sequence = graph.add('Concat', [mean, cells], { axis: 1 });
  const placed = graph.add('Add', [sequence, graph.weight(weights.get('visual.attnpool.positional_embedding'))]);
  const parts = { query: 'q_proj', key: 'k_proj', value: 'v_proj' };
  const from = splitAttention(weights, 'visual.attnpool', parts);
  const attended = selfAttention(tower, placed, from, { heads, firstRowOnly: true });
  return linear(tower, attended, 'visual.attnpool.c_proj');
}

/** A convolution that keeps the sides (before its stride), with the batch norm behind it folded in. */
function convolution(
  { graph, weights }: Tower,
  x: Value,
  conv: string,
  norm: string,
  { kernel, stride }: { readonly kernel: number; readonly stride: number },
): Value {
  const padding = (kernel - 1) / 2;
  const { weight, bias } = foldedBatchNorm(weights, conv, norm);
  return graph.add('Conv', [x, graph.weight(weight), graph.weight(bias)], {
    kernel_shape: [kernel, kernel],
    strides: [stride, stride],
    pads: [padding, padding, padding, padding],
  });
}

/** gain * (conv(x) - mean) / sqrt(variance + epsilon) + shift, as a convolution with a bias. */
function foldedBatchNorm(weights: WeightSource, conv: string, norm: string): { weight: Weight; bias: Weight } {
  const stored = weights.get(`${conv}.weight`);
  const part = (name: string): Promise<Float32Array> => weights.get(`${norm}.${name}`).read();
  const scales = async (): Promise<Float32Array> => {
    const variance = await part('running_var');
    return (await part('weight')).map((gain, i) => gain / Math.sqrt((variance[i] as number) + BATCH_NORM_EPSILON));
  };
  const readWeight = async (): Promise<Float32Array> => {
    const scale = await scales();
    const values = await stored.read();
    const perChannel = values.length / scale.length;
    return values.map((value, i) => value * (scale[Math.floor(i / perChannel)] as number));
  };
  const readBias = async (): Promise<Float32Array> => {
    const scale = await scales();
    const mean = await part('running_mean');
    return (await part('bias')).map((shift, i) => shift - (mean[i] as number) * (scale[i] as number));
  };
  return {
    weight: { name: `${conv}.folded_weight`, shape: stored.shape, read: readWeight },
    bias: named(`${conv}.folded_bias`, { name: norm, shape: stored.shape.slice(0, 1), read: readBias }),
  };
}

function relu({ graph }: Tower, x: Value): Value {
  return graph.add('Relu', [x]);
}

function averagePool({ graph }: Tower, x: Value): Value {
  return graph.add('AveragePool', [x], { kernel_shape: [2, 2], strides: [2, 2] });
}
