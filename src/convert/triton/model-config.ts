import type { Port } from '../onnx/graph.ts';
import type { ElementType } from '../onnx/onnx-proto.ts';

export interface ModelConfigOptions {
  /** The model's name on the server; also its folder's. */
  readonly name: string;
  readonly device: 'gpu' | 'cpu';
  /** Copies of the model on each device, which run side by side. */
  readonly instances: number;
  /** Pairs of one run. */
  readonly maxBatch: number;
  /** Microseconds that a batch may wait for company. */
  readonly queueDelayUs: number;
  /** Microseconds after which a request that still waits is refused; a request may ask for less. */
  readonly queueTimeoutUs: number;
  /** Requests that may wait; one more is refused. */
  readonly maxQueued: number;
  /** Kept with the model, so that a client can tell what it serves. */
  readonly parameters: Readonly<Record<string, string>>;
}

/** The protocol's names of element types. */
const TRITON_TYPE: Readonly<Record<string, string>> = {
  float16: 'FP16',
  float32: 'FP32',
  int8: 'INT8',
  int32: 'INT32',
  int64: 'INT64',
  uint8: 'UINT8',
} satisfies Record<ElementType, string>;

/**
 * A `config.pbtxt`, as Triton's model_config.proto defines it. The first dimension of every port is the batch's and
 * therefore not listed. Triton compiles and reserves on a model's first runs, so it warms up with one pair and with a
 * full batch before it says ready.
 */
export function modelConfig(
  ports: { readonly inputs: readonly Port[]; readonly outputs: readonly Port[] },
  options: ModelConfigOptions,
): string {
  const { name, maxBatch } = options;
  return `name: ${quote(name)}
backend: "onnxruntime"
default_model_filename: "model.onnx"
max_batch_size: ${maxBatch}
version_policy { latest { num_versions: 1 } }

input [
${ports.inputs.map(portEntry).join(',\n')}
]
output [
${ports.outputs.map(portEntry).join(',\n')}
]

instance_group [ { kind: KIND_${options.device.toUpperCase()} count: ${options.instances} } ]

dynamic_batching {
  preferred_batch_size: [ ${preferredSizes(maxBatch).join(', ')} ]
  max_queue_delay_microseconds: ${options.queueDelayUs}
  default_queue_policy {
    timeout_action: REJECT
    default_timeout_microseconds: ${options.queueTimeoutUs}
    allow_timeout_override: true
    max_queue_size: ${options.maxQueued}
  }
}

model_warmup [
${[...new Set([1, maxBatch])].map((size) => warmUpEntry(size, ports.inputs)).join(',\n')}
]

${Object.entries(options.parameters)
  .map(([key, value]) => `parameters { key: ${quote(key)} value { string_value: ${quote(value)} } }`)
  .join('\n')}
`;
}

function portEntry({ name, type, shape }: Port): string {
  return `  { name: ${quote(name)} data_type: ${dataType(type)} dims: [ ${shape.slice(1).join(', ')} ] }`;
}

/** A run starts as soon as one of these many pairs are there; a half full batch is not worth more waiting. */
function preferredSizes(maxBatch: number): number[] {
  return [...new Set([Math.ceil(maxBatch / 2), maxBatch])];
}

function warmUpEntry(batchSize: number, inputs: readonly Port[]): string {
  const entries = inputs.map(
    ({ name, type, shape }) =>
      `    inputs { key: ${quote(name)} value { data_type: ${dataType(type)} dims: [ ${shape.slice(1).join(', ')} ] zero_data: true } }`,
  );
  return `  {\n    name: "pairs_${batchSize}"\n    batch_size: ${batchSize}\n${entries.join('\n')}\n  }`;
}

function dataType(type: ElementType): string {
  return `TYPE_${TRITON_TYPE[type]}`;
}

/** JSON's escapes are among those of protobuf's text format. */
function quote(text: string): string {
  return JSON.stringify(text);
}
