/** What a run came to, over all its cycles. */
export interface Tally {
  cycles: number;
  /** Lives of the service that ended at each step, and at random. */
  readonly kills: Map<string, number>;
  writes: number;
  searches: number;
  snapshots: number;
  restores: number;
  rebuilds: number;
  covers: number;
  lost: number;
  back: number;
  torn: number;
  /** Sum over the answers after a restart of the share of the exact best 100 that was found. */
  recallSum: number;
  recalls: number;
  leastRecall: number;
  /** Anything else that should not have been; each with its cycle. */
  readonly faults: string[];
}

export function createTally(): Tally {
  return {
    cycles: 0,
    kills: new Map(),
    writes: 0,
    searches: 0,
    snapshots: 0,
    restores: 0,
    rebuilds: 0,
    covers: 0,
    lost: 0,
    back: 0,
    torn: 0,
    recallSum: 0,
    recalls: 0,
    leastRecall: 1,
    faults: [],
  };
}

export function countKill(tally: Tally, at: string): void {
  const name = at === 'random' ? 'at random' : at;
  tally.kills.set(name, 1 + (tally.kills.get(name) ?? 0));
}

export function meanRecall({ recallSum, recalls }: Tally): number {
  return recalls === 0 ? 0 : recallSum / recalls;
}

/** Two columns, for people. */
export function tableOf(tally: Tally): string {
  const rows: [string, string | number][] = [
    ['cycles', tally.cycles],
    ...[...tally.kills].sort().map(([step, count]): [string, number] => [`killed: ${step}`, count]),
    ['writes acknowledged', tally.writes],
    ['searches answered', tally.searches],
    ['snapshots taken', tally.snapshots],
    ['snapshots restored and compared', tally.restores],
    ['graphs rebuilt', tally.rebuilds],
    ['covers compared', tally.covers],
    ['acknowledged writes lost', tally.lost],
    ['deleted covers back', tally.back],
    ['torn records', tally.torn],
    ['recall@100, mean', meanRecall(tally).toFixed(4)],
    ['recall@100, least', tally.leastRecall.toFixed(4)],
    ['other faults', tally.faults.length],
  ];
  return rows.map(([name, value]) => `${name.padEnd(36)}${String(value).padStart(10)}`).join('\n');
}
