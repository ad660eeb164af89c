import { createTimeHistogram, type TimeHistogram } from './histogram.ts';
import { type KindReport, RANK_KINDS, type RankKind, type RankReport, type TimelinePoint } from './report.ts';
import { parseServerTiming } from './server-timing.ts';
import { createStreamRecorder, type StreamRecorder } from './stream-recorder.ts';

export interface RankAnswer {
  readonly kind: RankKind;
  readonly status: number;
  readonly latencyMs: number;
  readonly serverTiming: string | undefined;
  readonly body: string;
}

export interface RankMeasurements {
  readonly rank: RankReport;
  readonly kinds: Partial<Record<RankKind, KindReport>>;
  readonly timeline: TimelinePoint[];
}

/** Takes down what became of every request of one window; `finish` once, at the window's end. */
export interface RankRecorder {
  answered(answer: RankAnswer): void;
  /** A request that got no answer; its kind where it is known. */
  failed(reason: string, kind?: RankKind): void;
  finish(windowSeconds: number): RankMeasurements;
}

interface Kind {
  readonly stream: StreamRecorder;
  readonly stages: Map<string, TimeHistogram>;
}

interface Second {
  answered: number;
  shed: number;
  failed: number;
  readonly latency: TimeHistogram;
}

/** `now`: milliseconds, monotonic. */
export function createRankRecorder(now: () => number = () => performance.now()): RankRecorder {
  const startedAt = now();
  const all = createStreamRecorder();
  const kinds = new Map<RankKind, Kind>();
  const seconds: Second[] = [];
  const degraded: Record<string, number> = {};
  const refused: Record<string, number> = {};

  function thisSecond(): Second {
    const number = Math.floor((now() - startedAt) / 1000);
    while (seconds.length <= number) {
      seconds.push({ answered: 0, shed: 0, failed: 0, latency: createTimeHistogram(2) });
    }
    return seconds[number] as Second;
  }

  function kindOf(name: RankKind): Kind {
    const kind = kinds.get(name) ?? { stream: createStreamRecorder(), stages: new Map() };
    kinds.set(name, kind);
    return kind;
  }

  return {
    answered({ kind: name, status, latencyMs, serverTiming, body }) {
      const kind = kindOf(name);
      const second = thisSecond();
      all.answered(status, latencyMs);
      kind.stream.answered(status, latencyMs);
      if (status === 429) second.shed += 1;
      else if (status !== 200) second.failed += 1;
      if (status !== 200) {
        countUp(refused, `${status} ${problemCode(body)}`.trim());
        return;
      }
      second.answered += 1;
      second.latency.record(latencyMs);
      for (const [stage, ms] of parseServerTiming(serverTiming ?? '')) {
        const histogram = kind.stages.get(stage) ?? createTimeHistogram();
        kind.stages.set(stage, histogram);
        histogram.record(ms);
      }
      for (const loss of degradations(body)) countUp(degraded, loss);
    },
    failed(reason, name) {
      thisSecond().failed += 1;
      all.failed(reason);
      if (name !== undefined) kindOf(name).stream.failed(reason);
    },
    finish(windowSeconds) {
      return {
        rank: { ...all.finish(windowSeconds), curve: all.curve(), refused, degraded },
        kinds: Object.fromEntries(
          RANK_KINDS.flatMap((name) => {
            const kind = kinds.get(name);
            return kind === undefined ? [] : [[name, finishKind(kind, windowSeconds)]];
          }),
        ),
        // Answers on their way when the window ends count above; here they would open a nearly empty second.
        timeline: seconds.slice(0, Math.ceil(windowSeconds)).map(finishSecond),
      };
    },
  };
}

function finishKind({ stream, stages }: Kind, windowSeconds: number): KindReport {
  const stagesMs = Object.fromEntries([...stages].map(([stage, histogram]) => [stage, histogram.summary()]));
  return { ...stream.finish(windowSeconds), stagesMs };
}

function finishSecond({ answered, shed, failed, latency }: Second, second: number): TimelinePoint {
  const at = (percentile: number): number | null => (latency.count === 0 ? null : latency.percentileMs(percentile));
  return { second, answered, shed, failed, p50Ms: at(50), p99Ms: at(99) };
}

function countUp(counts: Record<string, number>, name: string): void {
  counts[name] = (counts[name] ?? 0) + 1;
}

/** The code of a problem document; empty where something else than the service answered. */
function problemCode(body: string): string {
  try {
    const { code } = JSON.parse(body) as { code?: unknown };
    return typeof code === 'string' ? code : '';
  } catch {
    return '';
  }
}

/** Most answers lost nothing; looking for the empty list spares parsing them, which would slow the generator down. */
function degradations(body: string): string[] {
  if (body.includes('"degraded":[]')) return [];
  const { degraded = [] } = JSON.parse(body) as { degraded?: { stage: string; reason: string }[] };
  return degraded.map(({ stage, reason }) => `${stage}: ${reason}`);
}
