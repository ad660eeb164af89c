import { join } from 'node:path';
import { CONVERT_DEFAULTS, convertCheckpoint } from '../../../src/convert/convert-checkpoint.ts';
import { type GraphPrecision, samePrecision } from '../../../src/convert/precision.ts';
import { openGraph } from '../../../src/services.ts';
import { preparedOnce } from './cache.ts';
import { writeRandomCheckpoint } from './checkpoint.ts';
import type { ModelSize } from './model-sizes.ts';

/** Path of the checkpoint with random weights. */
export function prepareCheckpoint(cache: string, size: ModelSize): Promise<string> {
  return preparedOnce(join(cache, `${size}.safetensors`), (path) => writeRandomCheckpoint(path, size));
}

/** Folder of the bundle that `coverrank convert` makes of it. */
export async function prepareBundle(cache: string, size: ModelSize, precision: GraphPrecision): Promise<string> {
  const name = `${size}-${precision}`;
  return preparedOnce(join(cache, name), async (out) => {
    const checkpoint = await prepareCheckpoint(cache, size);
    await convertCheckpoint(
      {
        ...CONVERT_DEFAULTS,
        checkpoint,
        out,
        name,
        precision: samePrecision(precision),
        source: { origin: 'random weights' },
      },
      { openGraph },
    );
  });
}
