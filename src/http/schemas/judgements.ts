import { type Static, Type } from 'typebox';
import { JUDGEMENT_FORMATS } from '../../eval/judgements/judgements.ts';
import { LIMITS } from '../limits.ts';
import { CoverId, Query, RequestId, strict } from './common.ts';

const Grade = Type.Integer({
  minimum: 0,
  maximum: 2,
  description: '0: nothing to do with the query; 1: something; 2: what was asked for.',
});
const Count = Type.Integer({ minimum: 0 });

export const PairParams = strict({ query: Query, id: CoverId });

export const JudgementsParams = strict({
  query: Type.Optional(Query),
  limit: Type.Optional(
    Type.String({ pattern: '^[0-9]{1,5}$', description: `How many to answer, at most ${LIMITS.judgements}.` }),
  ),
});

export const JudgementsAnswer = strict({
  request_id: RequestId,
  queries: Type.Integer({ minimum: 0, description: 'Queries that were ever judged.' }),
  total: Type.Integer({ minimum: 0, description: 'Judgements that are kept, of all queries.' }),
  judgements: Type.Array(
    strict({
      topic: Type.Integer({ minimum: 1, description: 'Number of the query in TREC files; it never changes.' }),
      query: Type.String(),
      id: CoverId,
      grade: Grade,
      judged_at: Type.String(),
    }),
    { description: `By topic, then by id; the first ${LIMITS.judgements} of them.` },
  ),
});
export type JudgementsAnswer = Static<typeof JudgementsAnswer>;

export const PutJudgementsBody = strict(
  {
    judgements: Type.Array(strict({ query: Query, id: CoverId, grade: Grade }), {
      minItems: 1,
      maxItems: LIMITS.judgements,
    }),
  },
  { examples: [{ judgements: [{ query: '红烧肉', id: 'v1', grade: 2 }] }] },
);

const written = { created: Count, updated: Count, unchanged: Count };
export const PutJudgementsAnswer = strict({ request_id: RequestId, ...written });

export const DeleteJudgementAnswer = strict({ request_id: RequestId, result: Type.Enum(['deleted']) });

export const ExportParams = strict({
  format: Type.Enum([...JUDGEMENT_FORMATS, 'topics'], {
    description:
      'cbvs: query, cover, address of its picture and grade, a tab between each (CBVS-20K); tsv: query, cover, grade; ' +
      'trec: TREC qrels, whose topics `topics` lists; json: an object a line.',
  }),
  query: Type.Optional(Query),
});

export const ImportBody = strict({
  format: Type.Optional(Type.Enum([...JUDGEMENT_FORMATS], { description: 'Guessed from the first line by default.' })),
  text: Type.String({ minLength: 1, description: 'The file, in one of the formats of the export.' }),
  topics: Type.Optional(
    Type.String({
      minLength: 1,
      description: 'Topic and query a line, for TREC qrels. Default: the topics that this service exports.',
    }),
  ),
});
export type ImportBody = Static<typeof ImportBody>;

export const ImportAnswer = strict({
  request_id: RequestId,
  format: Type.Enum([...JUDGEMENT_FORMATS]),
  ...written,
  problems: Type.Array(
    strict({
      problem: Type.String(),
      title: Type.String(),
      effect: Type.Enum(['left out', 'kept']),
      count: Count,
      lines: Type.Array(Type.Integer(), { description: 'The first such lines, from 1.' }),
    }),
    { description: 'What was wrong with rows of the file, by kind.' },
  ),
});
export type ImportAnswer = Static<typeof ImportAnswer>;
