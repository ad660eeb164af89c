import { openBundle } from '../../../src/inference/bundle.ts';
import type { RankMeasurements } from '../../recorder.ts';
import { prepareCheckpoint } from '../prepared/bundles.ts';
import { prepareDataFolder } from '../prepared/data-folder.ts';
import type { ModelSize } from '../prepared/model-sizes.ts';
import { preparePeerFiles } from '../prepared/peer-files.ts';
import { createQueryTexts } from '../query-texts.ts';
import type { FigureDescription, Sample } from '../report.ts';
import { type Bench, inTurn, type OpenRow, type Row } from '../row.ts';
import { compareAnswers } from '../subjects/agreement.ts';
import type { LoadTarget } from '../subjects/load-target.ts';
import { peerPython, startPeer } from '../subjects/peer.ts';
import { serve } from '../subjects/served.ts';

/** Ways to run the peer that somebody who cares would try; which is its best depends on the machine. */
const SETTINGS = {
  fp32: [],
  bf16: ['--dtype', 'bf16'],
  'bf16-one-by-one': ['--dtype', 'bf16', '--pool', '1'],
  'bf16-processes': ['--dtype', 'bf16', '--pool', '1', '--threads', '1', '--workers', '2'],
} as const;
type Setting = keyof typeof SETTINGS;
const SETTING_NAMES = Object.keys(SETTINGS) as Setting[];

const RERANK_COVERS = 2_000;
const TOP_N = 10;
const RECALL_K = 100;
const NO_DEADLINE_MS = 60_000;
const CONNECTIONS = { recall: 8, rerank: 2 } as const;
type Work = keyof typeof CONNECTIONS;
const WORKS = Object.keys(CONNECTIONS) as Work[];

/** How many times the peer's throughput: its default in fp32, its best otherwise. */
const GOALS = { recall: { fp32: 30, best: 8 }, rerank: { fp32: 30, best: 10 } } as const;
/** Of int8 against fp32 or bf16. Beyond it the two do not compute the same thing, and times would mean nothing. */
const TOLERANCE = { overlap: 0.7, cosine: 0.03, ocrSemantic: 0.05 } as const;
/** So that the heads' weight in the score is the peer's. */
const FUSION = JSON.stringify({ cosine: 1, ocr_semantic: 0.1 });

/** The whole service against FastAPI, PyTorch and hnswlib on the same weights, covers and queries. */
export function peerRows(python: string | undefined): readonly Row[] {
  return WORKS.flatMap((work) => SETTING_NAMES.map((setting) => peerRow(work, setting, python)));
}

function peerRow(work: Work, setting: Setting, python: string | undefined): Row {
  const id = `peer-${work}-${setting}`;
  return {
    name: id,
    figures: peerFigures(id, work, setting),
    async open(bench) {
      const { ours, peer, nextQuery } = await startBoth(bench, work, setting, python);
      const close = async (): Promise<void> => {
        await Promise.all([ours.close(), peer.close()]);
      };
      const parameters = parametersOf(work, bench);
      try {
        const agreement = await compareAnswers(ours, peer, nextQuery, parameters);
        bench.say(`  agreement: ${JSON.stringify(agreement)}`);
        const { overlap, cosine, ocrSemantic } = TOLERANCE;
        if (agreement.overlap < overlap || agreement.cosine > cosine || agreement.ocrSemantic > ocrSemantic) {
          throw new Error(`The two do not answer the same: ${JSON.stringify(agreement)}.`);
        }
      } catch (error) {
        await close();
        throw error;
      }
      return {
        async round(number) {
          const measured = await inTurn(
            number,
            () => measureOne(ours, work, bench),
            () => measureOne(peer, work, bench),
          );
          return samplesOf(id, measured.service, measured.limit);
        },
        close,
      } satisfies OpenRow;
    },
  };
}

function peerFigures(id: string, work: Work, setting: Setting): FigureDescription[] {
  const title = `${work === 'recall' ? '/rank without rerank' : '/rank with rerank'}, over the peer with ${setting}`;
  return [
    {
      id: `${id}-throughput`,
      title: `${title}: answers a second at saturation`,
      unit: 'ratio',
      better: 'higher',
      goal: setting === 'fp32' ? GOALS[work].fp32 : GOALS[work].best,
    },
    { id: `${id}-p99`, title: `${title}: p99 at saturation`, unit: 'ratio', better: 'lower', goal: 1 },
    { id: `${id}-alone`, title: `${title}: one query alone, p50`, unit: 'ratio', better: 'lower', goal: 1 / 6 },
  ];
}

async function startBoth(bench: Bench, work: Work, setting: Setting, python: string | undefined) {
  const { cache, settings } = bench;
  const covers = work === 'recall' ? settings.covers : Math.min(RERANK_COVERS, settings.covers);
  const withTokens = work === 'recall' ? 0 : covers;
  const folder = await bench.bundle('int8');
  const bundle = await openBundle(folder);
  const dataDir = await prepareDataFolder({ cache, bundle: folder, covers, withTokens });
  const nextQuery = await createQueryTexts(bundle, 7);
  const flags = SETTINGS[setting];
  const workers = flags.some((flag) => flag === '--workers') ? 2 : 1;
  const peer = await startPeer(
    {
      python: await peerPython(cache, python, bench.say),
      checkpoint: await prepareCheckpoint(cache, settings.size as ModelSize),
      vocabulary: bundle.path(bundle.manifest.tokenizer.vocab),
      covers: await preparePeerFiles(cache, dataDir, withTokens),
      flags,
      workers,
    },
    nextQuery,
  );
  try {
    const ours = await serve({ dataDir, flags: ['--model', folder, '--fusion', FUSION] }, nextQuery);
    return { ours, peer, nextQuery };
  } catch (error) {
    await peer.close();
    throw error;
  }
}

function parametersOf(work: Work, { settings }: Bench) {
  const rerankK = work === 'recall' ? 0 : settings.rerankK;
  const recallK = work === 'recall' ? RECALL_K : Math.max(TOP_N, rerankK);
  return { topN: TOP_N, recallK, rerankK, deadlineMs: NO_DEADLINE_MS };
}

interface SideMeasured {
  readonly alone: RankMeasurements;
  readonly saturated: RankMeasurements;
}

async function measureOne(target: LoadTarget, work: Work, bench: Bench): Promise<SideMeasured> {
  const { runs, loadSeconds } = bench.durations;
  const parameters = parametersOf(work, bench);
  return {
    alone: await target.alone(parameters, work === 'recall' ? runs : Math.ceil(runs / 4)),
    saturated: await target.saturated(parameters, CONNECTIONS[work], loadSeconds),
  };
}

function samplesOf(id: string, ours: SideMeasured, peer: SideMeasured): Readonly<Record<string, Sample>> {
  const ratio = (unit: string, read: (side: SideMeasured) => number): Sample => ({
    value: read(ours) / read(peer),
    parts: { [`service_${unit}`]: read(ours), [`peer_${unit}`]: read(peer) },
  });
  return {
    [`${id}-throughput`]: ratio('per_second', ({ saturated }) => saturated.rank.throughputPerSecond),
    [`${id}-p99`]: ratio('ms', ({ saturated }) => saturated.rank.latencyMs.p99),
    [`${id}-alone`]: ratio('ms', ({ alone }) => alone.rank.latencyMs.p50),
  };
}
