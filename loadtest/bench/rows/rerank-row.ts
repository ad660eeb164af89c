import { median } from 'simple-statistics';
import type { GraphPrecision } from '../../../src/convert/precision.ts';
import type { CoverUpsert } from '../../../src/core/ports.ts';
import { rerankInputs } from '../../../src/inference/cross-encoder.ts';
import { startDeadline } from '../../../src/ranking/deadline.ts';
import { rerank } from '../../../src/ranking/rerank.ts';
import type { Services } from '../../../src/services.ts';
import { createRandom } from '../../random.ts';
import { coverId, randomTokens } from '../prepared/data-folder.ts';
import { createVectorSource } from '../prepared/vectors.ts';
import { createQueryTexts } from '../query-texts.ts';
import { inTurn, type OpenRow, type Row } from '../row.ts';
import { startRawModel } from '../subjects/raw-model.ts';

/** Covers that the reranked ones are taken from, so that not all of their tokens lie in a cache of the processor. */
const COVERS = 256;
/** A rerank takes many times as long as a text. */
const RUNS_SHARE = 1 / 4;
const NO_DEADLINE_MS = 600_000;

/** Reranking K covers, tokens read from the store, against the session alone with all K pairs in one run. */
export function rerankRow(precision: GraphPrecision, rerankK: number): Row {
  return {
    name: `rerank-${precision}`,
    figures: [
      {
        id: `rerank-${precision}`,
        title: `rerank of ${rerankK} covers in ${precision}: time over the raw session`,
        unit: 'ratio',
        better: 'lower',
        goal: 1.15,
      },
      {
        id: `rerank-${precision}-pairs`,
        title: `pairs a second in ${precision} over the raw session`,
        unit: 'ratio',
        better: 'higher',
        goal: 0.87,
      },
    ],
    async open(bench) {
      const { services } = await bench.models(precision);
      const { bundle, crossEncoder } = services.model;
      if (crossEncoder === undefined) throw new Error('The bundle has no reranker.');
      const writes = rerankedCovers(services);
      await services.index.write(writes).searchable;
      const raw = await startRawModel(bundle, 'rerank');
      const nextText = await createQueryTexts(bundle);
      const runs = Math.max(3, Math.round(bench.durations.runs * RUNS_SHARE));
      let first = 0;

      const rerankOnce = async (): Promise<void> => {
        const ids = Array.from({ length: rerankK }, (_, i) => coverId((first + i) % COVERS));
        first += rerankK;
        const deadline = startDeadline(NO_DEADLINE_MS, new AbortController().signal);
        const { signals, degraded } = await rerank({ query: nextText(), ids, deadline }, crossEncoder, services.index);
        deadline.clear();
        if (degraded !== undefined || signals.size !== rerankK) throw new Error('Not all covers were reranked.');
      };
      const ofService = async (): Promise<number> => {
        const times: number[] = [];
        for (let run = -1; run < runs; run++) {
          const startedAt = performance.now();
          await rerankOnce();
          if (run >= 0) times.push(performance.now() - startedAt);
        }
        return median(times);
      };
      const images = writes.slice(0, rerankK).flatMap(({ content }) => content?.features.tokens ?? []);
      const inputs = rerankInputs([{ query: crossEncoder.prepare(nextText()), images }], bundle.manifest);
      const ofSession = async (): Promise<number> =>
        median([...(await raw.call('time', { inputs, outputs: crossEncoder.signals, runs }))]);

      return {
        async round(number) {
          const { service, limit } = await inTurn(number, ofService, ofSession);
          return {
            [`rerank-${precision}`]: { value: service / limit, parts: { service_ms: service, raw_ms: limit } },
            [`rerank-${precision}-pairs`]: {
              value: limit / service,
              parts: { service_per_second: (rerankK / service) * 1000, raw_per_second: (rerankK / limit) * 1000 },
            },
          };
        },
        close: () => raw.close(),
      } satisfies OpenRow;
    },
  };
}

function rerankedCovers({ model }: Services): CoverUpsert[] {
  const { manifest } = model.bundle;
  const { tokens: shape, embedding_dim: dim } = manifest;
  if (shape === null) throw new Error('The bundle has no image tokens.');
  const vectors = createVectorSource({ dim, count: COVERS, draw: 2 });
  const random = createRandom(2);
  return Array.from({ length: COVERS }, (_, number) => ({
    op: 'upsert',
    id: coverId(number),
    imageUrl: undefined,
    title: undefined,
    attributes: {},
    content: {
      features: { embedding: vectors.next(), tokens: randomTokens(shape, random), ocrPresence: undefined },
      imageHash: undefined,
      thumbnail: undefined,
    },
  }));
}
