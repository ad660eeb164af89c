import type { BundleManifest } from '../core/bundle-format.ts';
import { failure } from '../core/errors.ts';
import type { Tensor, TensorMap } from '../core/ports.ts';
import type { CoverFeatures } from '../core/types.ts';
import { splitEmbeddings } from './text-encoder.ts';

/** Outputs of the image graph that a stored cover is made of. */
export function featureOutputs(manifest: BundleManifest): readonly string[] {
  const stored = ['embedding', 'tokens_int8', 'token_scale', 'ocr_presence'];
  const offered = new Set(manifest.graphs.image.outputs.map((output) => output.name));
  return stored.filter((name) => offered.has(name) && (manifest.tokens !== null || !name.startsWith('token')));
}

/** What the image graph gave for a batch of `count` pictures, cover by cover. Fails with `internal` when it is not finite. */
export function splitFeatures(outputs: TensorMap, count: number, manifest: BundleManifest): CoverFeatures[] {
  const embeddings = splitEmbeddings(outputs['embedding'], count, manifest.embedding_dim);
  const presence = floats(outputs['ocr_presence']);
  const values = outputs['tokens_int8']?.data;
  const scales = floats(outputs['token_scale']);
  if (scales?.every(Number.isFinite) === false) {
    throw failure('internal', 'The model gave image tokens that are not finite.');
  }
  const tokenCount = manifest.tokens?.count ?? 0;
  const tokenBytes = tokenCount * (manifest.tokens?.width ?? 0);
  return embeddings.map((embedding, row) => {
    const ocrPresence = presence?.[row];
    if (ocrPresence !== undefined && !Number.isFinite(ocrPresence)) {
      throw failure('internal', 'The model gave an OCR presence that is not finite.');
    }
    const hasTokens = values instanceof Int8Array && scales !== undefined;
    return {
      embedding,
      ocrPresence,
      tokens: hasTokens
        ? {
            values: values.slice(row * tokenBytes, (row + 1) * tokenBytes),
            scales: scales.slice(row * tokenCount, (row + 1) * tokenCount),
          }
        : undefined,
    };
  });
}

function floats(tensor: Tensor | undefined): Float32Array | undefined {
  return tensor?.data instanceof Float32Array ? tensor.data : undefined;
}
