import type { BenchSettings } from './report.ts';
import type { Row } from './row.ts';
import { deadlineRow } from './rows/deadline-row.ts';
import { eventLoopRow } from './rows/event-loop-row.ts';
import { graphRow } from './rows/graph-row.ts';
import { indexRow } from './rows/index-row.ts';
import { rankRow } from './rows/rank-row.ts';
import { rerankRow } from './rows/rerank-row.ts';
import { restartRow } from './rows/restart-row.ts';
import { tailRow } from './rows/tail-row.ts';
import { textRow } from './rows/text-row.ts';

/** The goals' table, in the order in which it is measured: what needs the most memory comes last. */
export function benchRows({ rerankK }: Pick<BenchSettings, 'rerankK'>): readonly Row[] {
  return [
    graphRow,
    textRow,
    rerankRow('int8', rerankK),
    indexRow,
    rerankRow('fp32', rerankK),
    rankRow,
    tailRow,
    eventLoopRow,
    deadlineRow,
    restartRow,
  ];
}
