import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { failure, isFailure } from '../../../core/errors.ts';
import type { CoverIndexer } from '../../../indexing/index-covers.ts';
import { rejectedItem } from '../../../indexing/item.ts';
import type { RunningTask } from '../../../indexing/tasks.ts';
import { clientSignal, holdPlace } from '../../client-signal.ts';
import { toFailure } from '../../error-handler.ts';
import { LIMITS, ndjsonLineBytes } from '../../limits.ts';
import type { AddRoute, RouteDeps } from '../../route.ts';
import { answer, problems } from '../../schemas/common.ts';
import { IndexAccepted, IndexAnswer, IndexBody, IndexEnvelope, type Outcome } from '../../schemas/indexing.ts';
import { withHeartbeat } from './heartbeat.ts';
import { createItemParser, type ItemParser } from './item-parser.ts';
import type { ParsedItem } from './items.ts';
import { readLines } from './ndjson.ts';
import { hasErrors, presentOutcome, presentTask } from './present.ts';

const NDJSON = 'application/x-ndjson';

const schema = {
  operationId: 'indexCovers',
  tags: ['indexing'],
  summary: 'Write and delete covers',
  description:
    `JSON takes up to ${LIMITS.indexItems} items. NDJSON takes one item a line, any number of them, and is answered ` +
    'by an NDJSON stream of outcomes in request order while the request is still being sent: read it as it comes. ' +
    'White space before an outcome says that the service is still at work. ' +
    'A bad item never fails the rest.',
  // Items are checked one by one, so that a bad one fails alone: only what holds them is checked as the body.
  body: { content: { 'application/json': { schema: IndexEnvelope }, [NDJSON]: { schema: {} } } },
  response: {
    200: {
      description: 'What became of each item, in request order.',
      content: {
        'application/json': { schema: IndexAnswer },
        [NDJSON]: { schema: { type: 'string', description: 'One IndexOutcome a line.' } },
      },
    },
    202: answer('With `wait: false`: the items are on disk; the task tells when they can be found.', IndexAccepted),
    ...problems({ body: true, codes: ['overloaded', 'storage_full'] }),
  },
};

const documentedBody = {
  content: {
    'application/json': { schema: IndexBody },
    [NDJSON]: { schema: { type: 'string', description: 'One item a line.' } },
  },
};

export const addIndexCovers: AddRoute = (app, deps) => {
  const parser = createItemParser();
  app.addHook('onClose', () => parser.close());
  const { image_max_bytes: maxImageBytes } = deps.config.limits;
  // Items are checked one by one, so one with a forbidden name in it, such as __proto__, fails alone.
  app.removeContentTypeParser('application/json');
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, async (_request: FastifyRequest, bytes: Buffer) =>
    parser.envelope({ bytes, maxImageBytes }),
  );
  // The stream is the body: it is read line by line, as fast as items can be worked on.
  app.addContentTypeParser(NDJSON, (_request, payload, done) => done(null, payload));

  app.post(
    '/index',
    {
      schema,
      config: { scope: 'index', work: 'index', streams: true, documentedBody },
      bodyLimit: LIMITS.imageBodyBytes,
      // Before the body is read: requests that wait hold no pictures in memory.
      onRequest: async (_request, reply) => {
        deps.lifecycle.services();
        await holdPlace(deps.gates.index, reply, clientSignal(reply));
      },
    },
    async (request, reply) => {
      const body: unknown = request.body;
      if (body === undefined) throw failure('invalid_request', 'The body is missing.');
      return body instanceof Readable
        ? streamOutcomes(itemsOf(body, parser, maxImageBytes), reply, deps)
        : indexJson(body as IndexEnvelope, request, reply, deps);
    },
  );
};

function streamOutcomes(items: AsyncIterable<ParsedItem>, reply: FastifyReply, deps: RouteDeps) {
  const { indexer } = deps.lifecycle.services();
  let itemsUnderWay = 0;

  async function* counted(): AsyncGenerator<ParsedItem> {
    for await (const item of items) {
      itemsUnderWay++;
      yield item;
    }
  }

  const { enter } = deps.items;
  const outcomes = indexer.index(counted(), { signal: clientSignal(reply), until: 'searchable', enter });

  async function* lines(): AsyncGenerator<string> {
    try {
      for await (const outcome of outcomes) {
        itemsUnderWay--;
        deps.telemetry.indexed(outcome);
        yield `${JSON.stringify(presentOutcome(outcome, reply.log))}\n`;
      }
    } catch (error) {
      // The status is out already: a stream that breaks off is all that the client can be told.
      if (!isFailure(error, 'cancelled')) reply.log.error({ event: 'request_failed', err: error });
      throw error;
    }
  }
  const idleMs = reply.request.raw.socket.timeout;
  return reply.type(NDJSON).send(Readable.from(withHeartbeat(lines(), { idleMs, isWorking: () => itemsUnderWay > 0 })));
}

async function* itemsOf(body: Readable, parser: ItemParser, maxImageBytes: number): AsyncGenerator<ParsedItem> {
  for await (const line of readLines(body, ndjsonLineBytes(maxImageBytes))) {
    yield 'error' in line ? rejectedItem(line.error) : await parser.line({ ...line, maxImageBytes });
  }
}

async function indexJson(body: IndexEnvelope, request: FastifyRequest, reply: FastifyReply, deps: RouteDeps) {
  // A job may take longer than a connection may be idle; Node restores the time-out with the next request.
  request.raw.socket.setTimeout?.(0);
  const { indexer } = deps.lifecycle.services();
  const task = body.wait ? undefined : deps.tasks.start();
  const outcomes: Outcome[] = [];
  const until = body.wait ? 'searchable' : 'durable';
  for await (const outcome of indexer.index(body.items, {
    signal: clientSignal(reply),
    until,
    enter: deps.items.enter,
  })) {
    deps.telemetry.indexed(outcome);
    task?.record(outcome);
    outcomes.push(presentOutcome(outcome, request.log));
  }
  const answerBody = {
    request_id: request.id,
    took_ms: Math.round(reply.elapsedTime * 1000) / 1000,
    errors: hasErrors(outcomes),
    items: outcomes,
  };
  if (task === undefined) return answerBody;
  finishWhenSearchable(indexer, task, request);
  const started = deps.tasks.get(task.id);
  if (started === undefined) throw new Error('a task was forgotten before it was handed out');
  return reply
    .code(202)
    .header('location', `/tasks/${task.id}`)
    .send({ ...answerBody, task: presentTask(started) });
}

function finishWhenSearchable(indexer: CoverIndexer, task: RunningTask, request: FastifyRequest): void {
  indexer.settled().then(
    () => task.finish(),
    (error: unknown) => {
      request.log.error({ event: 'task_failed', task: task.id, err: error });
      task.finish(toFailure(error));
    },
  );
}
