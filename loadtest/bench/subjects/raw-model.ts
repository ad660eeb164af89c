import type { BundleGraphName } from '../../../src/core/bundle-format.ts';
import { startThread, type Thread } from '../../../src/core/thread.ts';
import type { Bundle } from '../../../src/inference/bundle.ts';
import { partSetup } from '../../../src/inference/model-parts.ts';
import type { RawModelData, RawModelMethods } from './raw-model-thread.ts';

/** One graph of a bundle alone, loaded with the threads and the priority that the service gives it by default. */
export async function startRawModel(
  bundle: Bundle,
  graph: 'text' | 'image' | 'rerank',
): Promise<Thread<RawModelMethods>> {
  const data: RawModelData = {
    file: bundle.path(graphFile(bundle, graph)),
    ...partSetup(graph, { text: 0, image: 0, rerank: 0 }),
  };
  return startThread(new URL('./raw-model-thread.js', import.meta.url), data, { name: `raw ${graph}` });
}

function graphFile({ manifest, ref }: Bundle, name: BundleGraphName): string {
  const graph = manifest.graphs[name];
  if (graph === undefined) throw new Error(`The bundle ${ref.name} has no ${name} graph.`);
  return graph.file;
}
