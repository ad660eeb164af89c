import { join } from 'node:path';
import { packageRoot } from '../../../src/core/package-root.ts';
import type { Tensor } from '../../../src/core/ports.ts';
import { featureOutputs } from '../../../src/inference/cover-features.ts';
import { readSampleCovers } from '../../covers.ts';
import { inTurn, type OpenRow, type Row } from '../row.ts';
import { startRawModel } from '../subjects/raw-model.ts';

/** One by one, and as the service's default for `limits.image_batch`: which is faster depends on the machine. */
const RAW_BATCHES = [1, 8] as const;

/** Pictures decoded, resized, encoded and written, against the image tower alone on pictures that are ready for it. */
export const indexRow: Row = {
  name: 'index',
  figures: [
    {
      id: 'index-pictures',
      title: `pictures indexed a second over the raw image tower, the better of batch ${RAW_BATCHES.join(' and ')}`,
      unit: 'ratio',
      better: 'higher',
      goal: 0.85,
    },
  ],
  async open(bench) {
    const { services } = await bench.models('int8');
    const { bundle } = services.model;
    const raw = await startRawModel(bundle, 'image');
    const samples = await readSampleCovers(join(packageRoot, 'index', 'samples'));
    const pictures = samples.map(({ image_base64: base64 }) => Buffer.from(base64, 'base64'));
    let indexed = 0;

    const indexSome = async (): Promise<number> => {
      // Another id every time: the same picture under the same id would cost no inference.
      const items = Array.from({ length: bench.durations.pictures }, () => {
        const bytes = pictures[indexed % pictures.length] as Buffer;
        return { id: `indexed-${indexed++}`, source: { bytes }, title: undefined, attributes: {}, ifChanged: false };
      });
      const startedAt = performance.now();
      const { signal } = new AbortController();
      for await (const { error } of services.indexer.index(items, { signal, until: 'durable' })) {
        if (error !== undefined) throw error;
      }
      return (items.length / (performance.now() - startedAt)) * 1000;
    };
    const towerAlone = async (): Promise<number> => {
      const windowMs = bench.durations.windowMs / RAW_BATCHES.length;
      const outputs = featureOutputs(bundle.manifest);
      let best = 0;
      for (const batch of RAW_BATCHES) {
        const inputs = { pixel_values: somePixels(batch, bundle.manifest.image.size) };
        const { runs, tookMs } = await raw.call('repeat', { inputs, outputs, windowMs });
        best = Math.max(best, ((runs * batch) / tookMs) * 1000);
      }
      return best;
    };
    return {
      async round(number) {
        const { service, limit } = await inTurn(number, indexSome, towerAlone);
        return {
          'index-pictures': {
            value: service / limit,
            parts: { service_per_second: service, raw_per_second: limit },
          },
        };
      },
      close: () => raw.close(),
    } satisfies OpenRow;
  },
};

function somePixels(pictures: number, size: number): Tensor {
  const data = Float32Array.from({ length: pictures * 3 * size * size }, (_, i) => Math.sin(i));
  return { type: 'float32', dims: [pictures, 3, size, size], data };
}
