import { median } from 'simple-statistics';
import type { Thread } from '../../../src/core/thread.ts';
import { padTexts } from '../../../src/inference/text-encoder.ts';
import { createQueryTexts } from '../query-texts.ts';
import type { Sample } from '../report.ts';
import { type Bench, inTurn, type OpenRow, type Row } from '../row.ts';
import { startRawModel } from '../subjects/raw-model.ts';
import type { RawModelMethods } from '../subjects/raw-model-thread.ts';

/** Texts of one batch of the raw session, and texts that wait for the service at once. */
const RAW_BATCH = 16;
const IN_FLIGHT = 64;

/** The text tower behind tokenizer, batcher and thread, against its session alone: one query, and as many as it takes. */
export const textRow: Row = {
  name: 'text',
  figures: [
    {
      id: 'text-one',
      title: 'one query of 12 ids, text in and embedding out: time over the raw session',
      unit: 'ratio',
      better: 'lower',
      goal: 1.1,
    },
    {
      id: 'text-saturated',
      title: `texts a second at saturation over the raw session at batch ${RAW_BATCH}`,
      unit: 'ratio',
      better: 'higher',
      goal: 0.9,
    },
  ],
  async open(bench) {
    const { services } = await bench.models('int8');
    const { bundle, textEncoder } = services.model;
    const raw = await startRawModel(bundle, 'text');
    const nextText = await createQueryTexts(bundle);
    const encode = async (): Promise<void> => {
      await textEncoder.encode(nextText(), new AbortController().signal);
    };
    const ids = (texts: number) =>
      padTexts(Array.from({ length: texts }, () => services.model.tokenizer.tokenize(nextText()).ids));
    await encode();
    return {
      async round(number) {
        const one = await inTurn(
          number,
          () => medianOf(encode, bench.durations.runs),
          () => rawMedian(raw, ids(1), bench),
        );
        const saturated = await inTurn(
          number,
          () => throughput(encode, bench.durations.windowMs),
          () => rawThroughput(raw, ids(RAW_BATCH), bench),
        );
        return {
          'text-one': against(one, 'ms'),
          'text-saturated': against(saturated, 'per_second'),
        };
      },
      close: () => raw.close(),
    } satisfies OpenRow;
  },
};

function against({ service, limit }: { service: number; limit: number }, unit: string): Sample {
  return { value: service / limit, parts: { [`service_${unit}`]: service, [`raw_${unit}`]: limit } };
}

async function medianOf(work: () => Promise<void>, runs: number): Promise<number> {
  await work();
  const times: number[] = [];
  for (let run = 0; run < runs; run++) {
    const startedAt = performance.now();
    await work();
    times.push(performance.now() - startedAt);
  }
  return median(times);
}

/** Calls a second with `IN_FLIGHT` of them under way all the time. */
async function throughput(work: () => Promise<void>, windowMs: number): Promise<number> {
  const startedAt = performance.now();
  let done = 0;
  const keepGoing = async (): Promise<void> => {
    while (performance.now() - startedAt < windowMs) {
      await work();
      done += 1;
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, keepGoing));
  return (done / (performance.now() - startedAt)) * 1000;
}

async function rawMedian(raw: Thread<RawModelMethods>, inputs: ReturnType<typeof padTexts>, { durations }: Bench) {
  return median([...(await raw.call('time', { inputs, outputs: ['embedding'], runs: durations.runs }))]);
}

async function rawThroughput(raw: Thread<RawModelMethods>, inputs: ReturnType<typeof padTexts>, { durations }: Bench) {
  const { windowMs } = durations;
  const { runs, tookMs } = await raw.call('repeat', { inputs, outputs: ['embedding'], windowMs });
  return ((runs * RAW_BATCH) / tookMs) * 1000;
}
