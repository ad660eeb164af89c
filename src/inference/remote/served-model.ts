import { Type } from 'typebox';
import Schema from 'typebox/schema';
import type { BundleManifest } from '../../core/bundle-format.ts';
import { failure } from '../../core/errors.ts';
import { SERVED_PARAMETERS } from '../../core/served-model.ts';
import { DATATYPE } from './inference-protocol.ts';
import { pairSpecs } from './pair-call.ts';

const Port = Type.Object({
  name: Type.String(),
  datatype: Type.String(),
  shape: Type.Array(Type.Union([Type.Integer(), Type.String()])),
});

const Metadata = Type.Object({ inputs: Type.Array(Port), outputs: Type.Array(Port) });

const Config = Type.Object({
  max_batch_size: Type.Optional(Type.Integer()),
  parameters: Type.Optional(Type.Record(Type.String(), Type.Object({ string_value: Type.Optional(Type.String()) }))),
});

/** What a server tells about a model that was found to be the bundle's reranker. */
export interface ServedModel {
  /** Pairs of one call; undefined where the server does not tell. */
  readonly maxBatch: number | undefined;
  /** Whether the server tells which bundle the model was made from; if not, it had to be believed. */
  readonly isHashKnown: boolean;
}

/**
 * Holds the metadata and configuration that a server gives of a model against a bundle. Fails with `invalid_config`,
 * naming the first thing that does not fit.
 */
export function checkServedModel(manifest: BundleManifest, metadata: unknown, config: unknown): ServedModel {
  if (!Schema.Check(Metadata, metadata)) throw misfit('it has no metadata of the Open Inference Protocol');
  const specs = pairSpecs(manifest, 1);
  for (const spec of specs) {
    const input = metadata.inputs.find(({ name }) => name === spec.name);
    requirePort('input', spec.name, input, DATATYPE[spec.type], spec.dims);
  }
  const surplus = metadata.inputs.find(({ name }) => !specs.some((spec) => spec.name === name));
  if (surplus !== undefined) throw misfit(`it wants an input ${surplus.name}, which the bundle's reranker has not`);
  for (const signal of manifest.rerank?.signals ?? []) {
    const output = metadata.outputs.find(({ name }) => name === signal);
    requirePort('output', signal, output, DATATYPE.float32, output?.shape.length === 1 ? [1] : [1, 1]);
  }
  const described = Schema.Check(Config, config) ? config : {};
  const hash = described.parameters?.[SERVED_PARAMETERS.hash]?.string_value;
  if (hash !== undefined && hash !== manifest.hash) {
    const name = described.parameters?.[SERVED_PARAMETERS.bundle]?.string_value ?? 'another bundle';
    throw misfit(`it was made from ${name} ${hash}, not from ${manifest.name} ${manifest.hash}`);
  }
  const maxBatch = described.max_batch_size ?? 0;
  return { maxBatch: maxBatch > 0 ? maxBatch : undefined, isHashKnown: hash !== undefined };
}

type ServedPort = { readonly datatype: string; readonly shape: readonly (number | string)[] };

/** The first dimension is the pairs and must vary; the others must be the bundle's, or vary. */
function requirePort(
  kind: string,
  name: string,
  port: ServedPort | undefined,
  datatype: string,
  dims: readonly number[],
): void {
  if (port === undefined) throw misfit(`it has no ${kind} ${name}`);
  if (port.datatype !== datatype) throw misfit(`its ${kind} ${name} is ${port.datatype}, not ${datatype}`);
  const shape = port.shape.map(Number);
  const fits =
    shape.length === dims.length && shape.every((size, axis) => size === -1 || (axis > 0 && size === dims[axis]));
  if (fits) return;
  const wanted = ['-1', ...dims.slice(1)].join(', ');
  throw misfit(`its ${kind} ${name} has the shape [${shape.join(', ')}], not [${wanted}]`);
}

function misfit(what: string): Error {
  return failure('invalid_config', `The model behind rerank_url is not this bundle's reranker: ${what}.`);
}
