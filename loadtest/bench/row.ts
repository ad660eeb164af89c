import type { GraphPrecision } from '../../src/convert/precision.ts';
import type { BenchSettings, FigureDescription, Sample } from './report.ts';
import type { Durations } from './settings.ts';
import type { OpenedModels } from './subjects/opened-models.ts';

/** A row of the goals' table: some figures that are measured together. */
export interface Row {
  readonly name: string;
  readonly figures: readonly FigureDescription[];
  /** Makes ready what all rounds need. */
  open(bench: Bench): Promise<OpenRow>;
}

export interface OpenRow {
  /**
   * Measures the service and its limit, one right after the other, so that whatever else the machine does hits both;
   * odd rounds start with the limit. Gives one sample per figure, by id.
   */
  round(number: number): Promise<Readonly<Record<string, Sample>>>;
  close(): Promise<void>;
}

/** What rows share. */
export interface Bench {
  readonly settings: BenchSettings;
  readonly durations: Durations;
  /** Folder of what is kept between runs. */
  readonly cache: string;
  /** The program in this process; opened once per precision. */
  models(precision: GraphPrecision): Promise<OpenedModels>;
  /** Folder of the bundle. */
  bundle(precision: GraphPrecision): Promise<string>;
  say(what: string): void;
}

/** The two sides of one round; which goes first changes with the round. */
export async function inTurn<A, B>(
  round: number,
  service: () => Promise<A>,
  limit: () => Promise<B>,
): Promise<{ readonly service: A; readonly limit: B }> {
  if (round % 2 === 0) {
    const first = await service();
    return { service: first, limit: await limit() };
  }
  const first = await limit();
  return { service: await service(), limit: first };
}
