import { failure } from '../../../core/errors.ts';
import type { JudgementStore } from '../../../core/ports.ts';
import type { Grade, Judgement } from '../../../core/types.ts';
import { queryOfRows } from '../../../eval/judgements/judged-pairs.ts';
import { type Judgements, readJudgements, readTopics } from '../../../eval/judgements/judgements.ts';
import { clientSignal, holdPlace } from '../../client-signal.ts';
import { LIMITS } from '../../limits.ts';
import type { AddRoute } from '../../route.ts';
import { answer, problems } from '../../schemas/common.ts';
import { ImportAnswer, ImportBody } from '../../schemas/judgements.ts';
import { coverIdErrors, queryErrors } from '../rank/parse.ts';

const MAX_GRADE = 2;
const NAMED_LINES = 20;
/** Told problems name these files. */
const FILE = 'The file';
const TOPICS_FILE = 'The file of topics';

const schema = {
  operationId: 'importJudgements',
  tags: ['judgements'],
  summary: 'Take in a file of judgements',
  description:
    'Rows that cannot be used are left out and told. Of rows that judge the same pair the last counts, and it takes ' +
    'the place of a judgement that is already kept.',
  body: ImportBody,
  response: {
    200: answer('What was taken in.', ImportAnswer),
    ...problems({ body: true, codes: ['overloaded', 'storage_full'] }),
  },
};

export const addImportJudgements: AddRoute = (app, { lifecycle, gates }) => {
  app.post(
    '/judgements/import',
    { schema, config: { scope: 'index', work: 'index' }, bodyLimit: LIMITS.judgementsBodyBytes },
    async (request, reply) => {
      const { judgements: store } = lifecycle.services();
      await holdPlace(gates.index, reply, clientSignal(reply));
      const read = readFile(request.body, store);
      const rows = lastOfEachPair(read);
      const usable = rows.filter(isStorable);
      if (usable.length === 0) throw failure('invalid_request', 'The file holds no usable judgement.');
      const written = await store.put(usable);
      const told = read.problems.map((problem) => ({ ...problem, lines: [...problem.lines] }));
      return {
        request_id: request.id,
        format: read.format,
        ...written,
        problems: [...told, ...tooLong(rows.filter((row) => !isStorable(row)))],
      };
    },
  );
};

interface Row extends Pick<Judgement, 'query' | 'id' | 'grade'> {
  /** Of the file, from 1. */
  readonly line: number;
}

function readFile({ format, text, topics }: ImportBody, store: JudgementStore): Judgements {
  const known = () => new Map([...store.queries()].map(({ topic, query }) => [String(topic), query]));
  return readJudgements(Buffer.from(text), FILE, {
    format,
    maxLabel: MAX_GRADE,
    topics: topics === undefined ? known() : readTopics(Buffer.from(topics), TOPICS_FILE),
  });
}

function lastOfEachPair({ pairs }: Judgements): Row[] {
  const queryOf = queryOfRows(pairs);
  const byPair = new Map<string, Row>();
  pairs.label.forEach((label, row) => {
    const query = (pairs.queries[queryOf[row] ?? 0] ?? '').trim();
    const id = pairs.covers[pairs.cover[row] ?? 0] ?? '';
    byPair.set(JSON.stringify([query, id]), { query, id, grade: label as Grade, line: pairs.line[row] ?? 0 });
  });
  return [...byPair.values()];
}

/** Within the limits that ranking and indexing have too: beyond them there is nothing to judge. */
function isStorable({ query, id }: Row): boolean {
  return queryErrors(query, '').length === 0 && coverIdErrors(id, '').length === 0;
}

function tooLong(rows: readonly Row[]) {
  if (rows.length === 0) return [];
  const title = 'has a query or an id that is longer than the service takes';
  const lines = rows.slice(0, NAMED_LINES).map(({ line }) => line);
  return [{ problem: 'too_long', title, effect: 'left out' as const, count: rows.length, lines }];
}
