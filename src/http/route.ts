import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type {
  FastifyBaseLogger,
  FastifyInstance,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from 'fastify';
import type { TaskRegistry } from '../indexing/tasks.ts';
import type { Gate } from './admission.ts';
import type { AppConfig } from './app-services.ts';
import type { BrownOut } from './brown-out.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { Telemetry } from './telemetry.ts';

/** The Fastify instance with request types taken from the routes' schemas. */
export type App = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;

/** What routes work with. Services are asked for per request: they may not be there yet, or not any more. */
export interface RouteDeps {
  readonly lifecycle: Lifecycle;
  readonly gates: { readonly rank: Gate; readonly index: Gate };
  /** For the items of indexing requests under way: while rankings wait, one of them is worked on at a time. */
  readonly items: Gate;
  readonly brownOut: BrownOut;
  readonly telemetry: Telemetry;
  readonly tasks: TaskRegistry;
  readonly config: AppConfig;
}

/** Adds one route, or the few that make a resource's verb. */
export type AddRoute = (app: App, deps: RouteDeps) => void | Promise<void>;
