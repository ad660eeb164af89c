import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import Fastify, { type FastifyBaseLogger, LogController } from 'fastify';
import type { Logger } from 'pino';
import { packageRoot } from '../core/package-root.ts';
import { ITEMS_AT_ONCE } from '../indexing/index-covers.ts';
import { createTaskRegistry } from '../indexing/tasks.ts';
import { addAuthentication } from './access/auth.ts';
import { addBrowserPolicy } from './access/browser-policy.ts';
import { createKeyRing } from './access/key-ring.ts';
import { addRateLimit } from './access/rate-limit.ts';
import { trustedProxies } from './access/trusted-proxies.ts';
import { createGate, defaultRankConcurrency } from './admission.ts';
import type { AppConfig } from './app-services.ts';
import { addBodyCoding } from './body-coding.ts';
import { addBodyTimeout } from './body-timeout.ts';
import { type BrownOut, createBrownOut } from './brown-out.ts';
import { answerConnectionError, ignoreExpectations } from './connection-errors.ts';
import { addErrorHandler, sendProblem, toFailure } from './error-handler.ts';
import type { Lifecycle } from './lifecycle.ts';
import { LIMITS, TIMEOUTS } from './limits.ts';
import { addOpenApi, DOCS_PREFIX } from './openapi.ts';
import { addIdentityHeaders, requestId, setIdentityHeaders, traceId } from './request-identity.ts';
import { addRequestLog } from './request-log.ts';
import type { AddRoute, App, RouteDeps } from './route.ts';
import { addDeleteCover } from './routes/covers/delete.ts';
import { addGetCover } from './routes/covers/get.ts';
import { addGetCoverImage } from './routes/covers/image.ts';
import { addOpenApiDocument } from './routes/docs/get.ts';
import { addEmbed } from './routes/embed/post.ts';
import { addHealth } from './routes/health/get.ts';
import { addHome } from './routes/home/get.ts';
import { addGetIndex } from './routes/index/get.ts';
import { addIndexCovers } from './routes/index/post.ts';
import { addDeleteJudgement } from './routes/judgements/delete.ts';
import { addExportJudgements } from './routes/judgements/export.ts';
import { addGetJudgements } from './routes/judgements/get.ts';
import { addImportJudgements } from './routes/judgements/import.ts';
import { addPutJudgements } from './routes/judgements/put.ts';
import { addMetrics } from './routes/metrics/get.ts';
import { addRank } from './routes/rank/post.ts';
import { addScore } from './routes/score/post.ts';
import { addRankElsewhere } from './routes/services/rank.ts';
import { addGetSettings } from './routes/settings/get.ts';
import { addSnapshot } from './routes/snapshot/post.ts';
import { addGetStats } from './routes/stats/get.ts';
import { addGetTask } from './routes/tasks/get.ts';
import { addNotFound } from './routing.ts';
import { HealthPartSchema, ProblemSchema } from './schemas/common.ts';
import { OutcomeSchema, TaskSchema } from './schemas/indexing.ts';
import { FilterConditionSchema } from './schemas/rank.ts';
import { createSerializers } from './serializers.ts';
import { addRequestMetrics, createTelemetry } from './telemetry.ts';

const ROUTES: readonly AddRoute[] = [
  addRank,
  addRankElsewhere,
  addGetSettings,
  addScore,
  addEmbed,
  addIndexCovers,
  addGetIndex,
  addGetTask,
  addGetCover,
  addDeleteCover,
  addGetCoverImage,
  addGetJudgements,
  addPutJudgements,
  addDeleteJudgement,
  addExportJudgements,
  addImportJudgements,
  addSnapshot,
  addHealth,
  addMetrics,
  addGetStats,
  addOpenApiDocument,
  addHome,
];

/**
 * The HTTP application. It can listen before the lifecycle is ready: until then probes are answered and everything that
 * needs the services is refused with `unavailable`.
 */
export async function createApp(
  lifecycle: Lifecycle,
  config: AppConfig,
  logger: Logger,
  brownOut: BrownOut = createBrownOut(),
): Promise<App> {
  const app = newFastify(config, logger);
  ignoreExpectations(app.server);
  const gates = createGates(config);
  const telemetry = createTelemetry(app, { version: packageVersion(), gates, brownOut, lifecycle });
  const items = createGate({ concurrency: ITEMS_AT_ONCE, queue: Number.POSITIVE_INFINITY, yieldsTo: gates.rank });
  const deps: RouteDeps = { lifecycle, gates, items, brownOut, telemetry, tasks: createTaskRegistry(), config };

  for (const schema of [ProblemSchema, HealthPartSchema, FilterConditionSchema, OutcomeSchema, TaskSchema]) {
    app.addSchema(schema);
  }
  app.removeContentTypeParser('text/plain');
  addErrorHandler(app);
  addIdentityHeaders(app);
  addRequestLog(app);
  addRequestMetrics(app, telemetry);
  addNotFound(app);
  await addBrowserPolicy(app, config.cors_origins);
  const keys = createKeyRing(config.api_keys);
  if (keys.outdated.length > 0) {
    logger.warn({ event: 'outdated_keys', keys: keys.outdated }, 'keys stored as sha256: make new ones');
  }
  addAuthentication(app, keys, DOCS_PREFIX);
  await addRateLimit(app, { keys: config.api_keys, requestsPerMinute: config.limits.requests_per_minute });
  addBodyCoding(app);
  addBodyTimeout(app);
  await addOpenApi(app, packageVersion());
  // Each in a scope of its own: what one of them takes as a body, such as NDJSON, the others do not.
  for (const addRoute of ROUTES) await app.register(async (scope: App) => addRoute(scope, deps));
  await app.ready();
  return app;
}

function newFastify(config: AppConfig, logger: FastifyBaseLogger): App {
  return Fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'request_id' }),
    childLoggerFactory: (parent, bindings, options, request) => {
      const trace = traceId(request.headers);
      return parent.child(trace === undefined ? bindings : { ...bindings, trace_id: trace }, options);
    },
    genReqId: requestId,
    requestIdHeader: false,
    trustProxy: trustedProxies(config.trust_proxy),
    bodyLimit: LIMITS.textBodyBytes,
    connectionTimeout: TIMEOUTS.idleMs,
    keepAliveTimeout: TIMEOUTS.keepAliveMs,
    http: { headersTimeout: TIMEOUTS.headersMs, requestTimeout: 0, connectionsCheckingInterval: 2000 },
    // Idle connections are closed at once on shutdown; those at work finish.
    forceCloseConnections: 'idle',
    // Refusals while shutting down are ours, as problem documents.
    return503OnClosing: false,
    onProtoPoisoning: 'error',
    onConstructorPoisoning: 'error',
    // An id of 256 bytes, each written as %XX.
    routerOptions: { maxParamLength: 3 * LIMITS.coverIdBytes },
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: true, allErrors: false } },
    schemaController: { compilersFactory: { buildSerializer: createSerializers() } },
    clientErrorHandler: answerConnectionError,
    frameworkErrors: (error, request, reply) => {
      setIdentityHeaders(request, reply);
      sendProblem(toFailure(error), request, reply);
    },
  }).withTypeProvider<TypeBoxTypeProvider>();
}

function createGates({ limits }: AppConfig): RouteDeps['gates'] {
  const rank = createGate({
    concurrency: limits.rank_concurrency || defaultRankConcurrency(),
    queue: limits.rank_queue,
  });
  const index = createGate({
    concurrency: limits.index_concurrency,
    queue: limits.index_queue,
    maxWaitMs: TIMEOUTS.indexWaitMs,
    yieldsTo: rank,
  });
  return { rank, index };
}

function packageVersion(): string {
  const { version } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as { version: string };
  return version;
}
