import { createRankRecorder } from '../../loadtest/recorder.ts';
import { REPORT_FORMAT, type Report } from '../../loadtest/report.ts';

export interface SampleOptions {
  readonly seconds?: number;
  /** Of each answer; by second, so that the seconds can differ. */
  readonly latencyMs?: (second: number) => number;
  readonly perSecond?: number;
}

/** A report of answers that the recorder was really given. */
export function sampleReport({ seconds = 10, perSecond = 20, latencyMs = () => 8 }: SampleOptions = {}): Report {
  let clock = 0;
  const recorder = createRankRecorder(() => clock);
  for (let second = 0; second < seconds; second++) {
    clock = second * 1000 + 500;
    for (let request = 0; request < perSecond; request++) {
      const kind = request % 2 === 0 ? 'rank-fresh' : 'rerank-fresh';
      const serverTiming = `queue;dur=0.2, embed;dur=3, recall;dur=1, rerank;dur=${kind === 'rank-fresh' ? 0 : 2}, total;dur=7`;
      recorder.answered({ kind, status: 200, latencyMs: latencyMs(second), serverTiming, body: '{"degraded":[]}' });
    }
    recorder.answered({ kind: 'rank-fresh', status: 429, latencyMs: 1, serverTiming: undefined, body: '' });
  }
  return {
    format: REPORT_FORMAT,
    startedAt: '2026-03-04T05:06:07.000Z',
    git: { commit: '0123456789abcdef0123456789abcdef01234567', dirty: false },
    machine: {
      cpu: 'Some <CPU> & more',
      cores: 2,
      memoryGiB: 8,
      platform: 'linux x64',
      node: 'v20.20.0',
      loadBefore: 0.1,
    },
    target: { url: 'http://127.0.0.1:1', selfStarted: true, covers: 640, bundle: { name: 'demo', hash: 'ab12' } },
    load: {
      loop: 'closed',
      connections: 4,
      ratePerSecond: null,
      durationSeconds: seconds,
      warmupSeconds: 1,
      mix: { 'rank-fresh': 1, 'rerank-fresh': 1 },
      indexPerSecond: 0,
      topN: 10,
      recallK: 100,
      rerankK: 50,
      deadlineMs: 500,
      seed: 1,
    },
    ...recorder.finish(seconds),
    index: null,
    eventLoopDelayMs: { p50: 0.2, p99: 4, max: 9 },
    sendLagMs: null,
  };
}
