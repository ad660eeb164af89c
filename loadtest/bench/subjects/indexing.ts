import type { ServiceClient } from '../../client.ts';
import { type CoverItem, indexCovers } from '../../covers.ts';

/** Pictures of one request, few enough that the next begins soon. */
const COVERS_AT_ONCE = 8;

/** Indexes the first of `covers` over and over for so long, one request at a time; resolves with pictures a second. */
export async function keepIndexing(
  client: ServiceClient,
  covers: readonly CoverItem[],
  seconds: number,
): Promise<number> {
  const startedAt = performance.now();
  const again = covers.slice(0, COVERS_AT_ONCE).map((cover) => ({ ...cover, if_changed: false }));
  let pictures = 0;
  while (performance.now() < startedAt + seconds * 1000) {
    await indexCovers(client, again);
    pictures += again.length;
  }
  return pictures / ((performance.now() - startedAt) / 1000);
}
