import type { CoverAnswer, IndexStatusAnswer } from '../../../src/http/schemas/covers.ts';
import type { Outcome } from '../../../src/http/schemas/indexing.ts';
import type { ScoreAnswer } from '../../../src/http/schemas/inference.ts';
import type { JudgementsAnswer } from '../../../src/http/schemas/judgements.ts';
import type { RankAnswer, RankBody } from '../../../src/http/schemas/rank.ts';
import type { SettingsAnswer } from '../../../src/http/schemas/settings.ts';
import type { StatsAnswer } from '../../../src/http/schemas/stats.ts';

/** What the service takes and answers, as its own schemas have it. Only types: nothing of the service gets in here. */
export type Settings = SettingsAnswer;
export type Stats = StatsAnswer;
export type IndexStatus = IndexStatusAnswer;
export type Cover = CoverAnswer;
export type Judgement = JudgementsAnswer['judgements'][number];
export type PairScore = ScoreAnswer['pairs'][number];
export type ItemOutcome = Outcome;
export type Ranking = RankAnswer;
export type Hit = RankAnswer['results'][number];
export type Weights = Readonly<Record<string, number>>;
export type Grade = 0 | 1 | 2;
/** A request to /rank as the console writes it: what is left out has the service's default. */
export type RankRequest = Partial<RankBody> & Pick<RankBody, 'query'>;
