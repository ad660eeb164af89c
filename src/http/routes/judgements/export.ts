import { Readable } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { CoverIndex, JudgementStore } from '../../../core/ports.ts';
import type { JudgementFormat } from '../../../eval/judgements/judgements.ts';
import { judgementLine, topicLine } from '../../../eval/judgements/write-judgements.ts';
import type { AddRoute } from '../../route.ts';
import { problems } from '../../schemas/common.ts';
import { ExportParams } from '../../schemas/judgements.ts';

/** Lines made between two looks at other requests. */
const SLICE = 500;

const TYPES = {
  json: 'application/x-ndjson',
  cbvs: 'text/tab-separated-values; charset=utf-8',
  tsv: 'text/tab-separated-values; charset=utf-8',
  trec: 'text/plain; charset=utf-8',
  topics: 'text/tab-separated-values; charset=utf-8',
} as const;

const file = { schema: { type: 'string' } };

const schema = {
  operationId: 'exportJudgements',
  tags: ['judgements'],
  summary: 'Judgements as a file',
  description:
    'What `coverrank eval judgements` and `coverrank tune` read. TREC qrels need the file of topics as well.',
  querystring: ExportParams,
  response: {
    200: {
      description: 'The file.',
      content: { 'text/tab-separated-values': file, 'text/plain': file, 'application/x-ndjson': file },
    },
    ...problems(),
  },
};

export const addExportJudgements: AddRoute = (app, { lifecycle }) => {
  app.get('/judgements/export', { schema, config: { scope: ['rank', 'index'] } }, async (request, reply) => {
    const { judgements, index } = lifecycle.services();
    const { format } = request.query;
    const query = request.query.query?.trim();
    const lines = format === 'topics' ? topics(judgements, query) : linesOf(format, judgements, index, query);
    // What cannot be written is found before the first byte is out, while there still is a way to say so.
    const chunks: string[] = [];
    for await (const chunk of inSlices(lines)) chunks.push(chunk);
    return reply
      .type(TYPES[format])
      .header(
        'content-disposition',
        `attachment; filename="judgements-${format}.${format === 'json' ? 'ndjson' : 'txt'}"`,
      )
      .send(Readable.from(chunks));
  });
};

function* topics(judgements: JudgementStore, query: string | undefined): Iterable<string> {
  for (const topic of judgements.queries()) if (query === undefined || topic.query === query) yield topicLine(topic);
}

function* linesOf(
  format: JudgementFormat,
  judgements: JudgementStore,
  index: CoverIndex,
  query: string | undefined,
): Iterable<string> {
  for (const judgement of judgements.list(query)) {
    // CBVS rows must have an address; a cover that came without one has its thumbnail here.
    const { id } = judgement;
    const address = index.get(id)?.imageUrl ?? `/covers/${encodeURIComponent(id)}/image`;
    yield judgementLine(format, { ...judgement, address });
  }
}

async function* inSlices(lines: Iterable<string>): AsyncIterable<string> {
  let slice: string[] = [];
  for (const line of lines) {
    slice.push(`${line}\n`);
    if (slice.length < SLICE) continue;
    yield slice.join('');
    slice = [];
    await nextTurn();
  }
  yield slice.join('');
}
