import { existsSync, readFileSync } from 'node:fs';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { type Static, type TSchema, Type } from 'typebox';
import { Value } from 'typebox/value';
import { failure } from './core/errors.ts';
import { packageRoot } from './core/package-root.ts';

/**
 * Every setting, once. A value comes from the first of: a flag (`--data-dir`), the environment (`COVERRANK_DATA_DIR`),
 * the configuration file, the default given here. Nested settings join their names: `limits.rank_queue` is
 * `COVERRANK_LIMITS_RANK_QUEUE` and `--limits-rank-queue`.
 */
const integer = (value: number, minimum: number, description: string) =>
  Type.Integer({ default: value, minimum, description });

const ApiKey = Type.Object(
  {
    name: Type.String({ minLength: 1 }),
    hash: Type.String({ minLength: 1, description: 'As printed by `coverrank key`.' }),
    scopes: Type.Array(Type.Union([Type.Literal('rank'), Type.Literal('index'), Type.Literal('admin')])),
  },
  { additionalProperties: false },
);

const Limits = Type.Object(
  {
    rank_concurrency: integer(64, 1, 'Requests to /rank, /score and /embed that are worked on at once.'),
    rank_queue: integer(256, 0, 'Such requests that may wait; one more is answered 429.'),
    index_concurrency: integer(4, 1, 'Requests to /index that are worked on at once.'),
    index_queue: integer(16, 0, 'Such requests that may wait; one more is answered 429.'),
    text_queue: integer(1024, 1, 'Texts that may wait for the text tower.'),
    text_batch_tokens: integer(256, 1, 'Padded tokens in one batch of the text tower.'),
    rerank_queue: integer(512, 1, 'Chunks that may wait for the cross-encoder.'),
    rerank_batch_pairs: integer(64, 1, 'Pairs in one batch of the cross-encoder.'),
    rerank_in_flight: integer(8, 1, 'Calls to the server behind rerank_url at once.'),
    image_queue: integer(256, 1, 'Pictures that may wait for the image tower.'),
    image_batch: integer(8, 1, 'Pictures in one batch of the image tower.'),
    image_max_bytes: integer(10 * 1024 * 1024, 1, 'Bytes of one picture.'),
    image_max_pixels: integer(25_000_000, 1, 'Pixels of one picture.'),
    query_cache: integer(10_000, 0, 'Query embeddings kept for repeated queries.'),
  },
  { default: {}, additionalProperties: false },
);

const Threads = Type.Object(
  {
    text: integer(0, 0, 'Threads inside the text tower; 0: as many as there are cores, 8 at most.'),
    rerank: integer(0, 0, 'Threads inside the cross-encoder; 0: as many as there are cores, 8 at most.'),
    image: integer(0, 0, 'Threads inside the image tower; 0: half of the cores, at least 1.'),
  },
  { default: {}, additionalProperties: false },
);

const Fetch = Type.Object(
  {
    allow: Type.Array(Type.String(), {
      default: [],
      description: 'Hosts, host:port or CIDR that image URLs may reach although they are not public.',
    }),
    concurrency: integer(16, 1, 'Pictures fetched at once.'),
    per_host: integer(4, 1, 'Connections to one host.'),
  },
  { default: {}, additionalProperties: false },
);

const Index = Type.Object(
  {
    snapshot_every_writes: integer(10_000, 1, 'Writes after which the graph is saved, so that a restart replays less.'),
    ef_search: integer(200, 1, "HNSW's ef: candidates held during a search; more finds more and takes longer."),
  },
  { default: {}, additionalProperties: false },
);

export const ConfigSchema = Type.Object(
  {
    host: Type.String({ default: '127.0.0.1', description: 'Address to listen on.' }),
    port: Type.Integer({ default: 8080, minimum: 0, maximum: 65_535, description: 'Port to listen on; 0 picks one.' }),
    insecure: Type.Boolean({ default: false, description: 'Listen beyond loopback although no keys are configured.' }),
    data_dir: Type.String({ default: 'index/data', description: 'Folder of covers and graph.' }),
    model: Type.String({ default: 'models/demo', description: 'Folder of the model bundle.' }),
    rerank_url: Type.String({
      default: '',
      description:
        'Server of the Open Inference Protocol that reranks: http://host:port, or with /v2/models/NAME behind it. Empty: this process does.',
    }),
    rerank_timeout_ms: integer(1000, 1, 'Milliseconds that one call to the server behind rerank_url may take.'),
    fusion: Type.Record(Type.String(), Type.Number(), {
      default: {},
      description: 'Weight per signal; replaces the weights that the bundle carries.',
    }),
    api_keys: Type.Array(ApiKey, { default: [], description: 'Keys that may call; none: everybody on loopback may.' }),
    trust_proxy: Type.Array(Type.String(), {
      default: [],
      description: 'Addresses or CIDR of proxies whose X-Forwarded-For is believed.',
    }),
    log_level: Type.Union(
      ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'].map((level) => Type.Literal(level)),
      { default: 'info', description: 'Least severe level that is logged.' },
    ),
    shutdown_timeout_ms: integer(15_000, 0, 'Milliseconds that running requests get to finish on shutdown.'),
    limits: Limits,
    threads: Threads,
    fetch: Fetch,
    index: Index,
  },
  { default: {}, additionalProperties: false },
);

export type Config = Static<typeof ConfigSchema>;

/** One leaf of the schema with the names under which it can be set. */
export interface Setting {
  /** Such as `limits.rank_queue`. */
  readonly key: string;
  readonly env: string;
  readonly flag: string;
  readonly description: string;
  readonly schema: TSchema;
}

export type Origin = 'default' | `file ${string}` | `environment ${string}` | `flag ${string}`;

export interface LoadedConfig {
  readonly config: Config;
  /** Where each setting's value came from, by key. */
  readonly origins: Readonly<Record<string, Origin>>;
}

export interface ConfigSources {
  /** Path of the configuration file; without one `coverrank.config.json` of the working folder is read if it is there. */
  readonly file?: string | undefined;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Values by setting key, as text from the command line. */
  readonly flags?: Readonly<Record<string, string | undefined>>;
}

const DEFAULT_FILE = 'coverrank.config.json';
/** Not settings of the service, yet ours: read by the command line itself. */
const OTHER_ENVIRONMENT = new Set(['COVERRANK_DEBUG', 'COVERRANK_CONFIG', 'COVERRANK_API_KEY']);
const PATH_SETTINGS = ['data_dir', 'model'] as const;

export const settings: readonly Setting[] = leavesOf(ConfigSchema, []);

/** Reads, merges and checks the configuration. Fails with `invalid_config`, naming each wrong key and its origin. */
export function loadConfig(sources: ConfigSources = {}): LoadedConfig {
  const env = sources.env ?? process.env;
  const file = readConfigFile(sources.file ?? env['COVERRANK_CONFIG']);
  rejectUnknownEnvironment(env);

  const merged: Record<string, unknown> = structuredClone(file?.values ?? {});
  const origins: Record<string, Origin> = {};
  for (const setting of settings) {
    const path = setting.key.split('.');
    const flag = sources.flags?.[setting.key];
    const variable = env[setting.env];
    if (flag !== undefined) {
      assign(merged, path, parseText(setting, flag, `--${setting.flag}`));
      origins[setting.key] = `flag --${setting.flag}`;
    } else if (variable !== undefined) {
      assign(merged, path, parseText(setting, variable, setting.env));
      origins[setting.key] = `environment ${setting.env}`;
    } else if (file !== undefined && lookUp(merged, path) !== undefined) {
      origins[setting.key] = `file ${file.path}`;
    } else {
      origins[setting.key] = 'default';
    }
  }
  const config = check(merged, origins);
  return { config: resolvePaths(config, origins, file?.path), origins };
}

/** The configuration that `loadConfig` gives where nothing is set; for embedding and for tests. */
export function defaultConfig(changes: Partial<Config> = {}): Config {
  return { ...loadConfig({ env: {} }).config, ...changes };
}

function leavesOf(schema: TSchema, path: readonly string[]): Setting[] {
  const properties = (schema as { properties?: Record<string, TSchema> }).properties;
  if (properties !== undefined) {
    return Object.entries(properties).flatMap(([name, child]) => leavesOf(child, [...path, name]));
  }
  return [
    {
      key: path.join('.'),
      env: `COVERRANK_${path.join('_').toUpperCase()}`,
      flag: path.join('-').replaceAll('_', '-'),
      description: (schema as { description?: string }).description ?? '',
      schema,
    },
  ];
}

function readConfigFile(named: string | undefined): { path: string; values: Record<string, unknown> } | undefined {
  const path = resolve(named ?? DEFAULT_FILE);
  if (!existsSync(path)) {
    if (named === undefined) return undefined;
    throw failure('invalid_config', `There is no configuration file ${path}.`);
  }
  let values: unknown;
  try {
    values = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw failure('invalid_config', `${path} is not valid JSON: ${(cause as Error).message}.`, { cause });
  }
  if (typeof values !== 'object' || values === null || Array.isArray(values)) {
    throw failure('invalid_config', `${path} must hold a JSON object.`);
  }
  return { path, values: values as Record<string, unknown> };
}

function rejectUnknownEnvironment(env: Readonly<Record<string, string | undefined>>): void {
  const known = new Set(settings.map((setting) => setting.env));
  const unknown = Object.keys(env).filter(
    (name) => name.startsWith('COVERRANK_') && !known.has(name) && !OTHER_ENVIRONMENT.has(name),
  );
  if (unknown.length > 0) throw failure('invalid_config', `Unknown setting in the environment: ${unknown.join(', ')}.`);
}

/** A setting given as text: lists are comma-separated, objects and lists of objects are JSON. */
function parseText(setting: Setting, text: string, origin: string): unknown {
  const schema = setting.schema as { type?: string; items?: { type?: string } };
  if (schema.type === 'integer' || schema.type === 'number') return text.trim() === '' ? text : Number(text);
  if (schema.type === 'boolean')
    return text === 'true' || text === '1' ? true : text === 'false' || text === '0' ? false : text;
  if (schema.type === 'array' && schema.items?.type === 'string') {
    return text
      .split(',')
      .map((entry) => entry.trim())
      .filter((entry) => entry !== '');
  }
  if (schema.type !== 'object' && schema.type !== 'array') return text;
  try {
    return JSON.parse(text);
  } catch {
    throw failure('invalid_config', `${origin} must be JSON.`);
  }
}

function check(values: Record<string, unknown>, origins: Readonly<Record<string, Origin>>): Config {
  const complete = withDefaults(ConfigSchema, values);
  const problems = Value.Errors(ConfigSchema, complete)
    .filter((error) => error.keyword !== 'boolean')
    .map((error) => {
      const key = error.instancePath.slice(1).replaceAll('/', '.');
      const unknown = (error.params as { additionalProperties?: readonly string[] }).additionalProperties;
      if (unknown !== undefined)
        return `unknown setting ${unknown.map((name) => (key ? `${key}.${name}` : name)).join(', ')}`;
      const origin = origins[key];
      return `${key} ${error.message}${origin === undefined || origin === 'default' ? '' : ` (${origin})`}`;
    });
  if (problems.length > 0) throw failure('invalid_config', `The configuration is not valid: ${problems.join('; ')}.`);
  return complete as Config;
}

/** TypeBox fills defaults of a missing object but not inside one that is there in part; this does both. */
function withDefaults(schema: TSchema, value: unknown): unknown {
  const { properties, default: fallback } = schema as { properties?: Record<string, TSchema>; default?: unknown };
  const present = value === undefined ? structuredClone(fallback) : value;
  if (properties === undefined || typeof present !== 'object' || present === null || Array.isArray(present))
    return present;
  const filled: Record<string, unknown> = { ...present };
  for (const [name, child] of Object.entries(properties)) filled[name] = withDefaults(child, filled[name]);
  return filled;
}

/** Relative folders count from where they were written: the file's folder, the working folder, or ours for defaults. */
function resolvePaths(config: Config, origins: Readonly<Record<string, Origin>>, file: string | undefined): Config {
  const resolved = { ...config };
  for (const key of PATH_SETTINGS) {
    if (isAbsolute(config[key])) continue;
    const origin = origins[key] ?? 'default';
    if (origin === 'default') resolved[key] = join(packageRoot, config[key]);
    else if (origin.startsWith('file') && file !== undefined) resolved[key] = resolve(dirname(file), config[key]);
    else resolved[key] = resolve(config[key]);
  }
  return resolved;
}

function lookUp(values: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (inner, name) =>
      typeof inner === 'object' && inner !== null && Object.hasOwn(inner, name)
        ? (inner as Record<string, unknown>)[name]
        : undefined,
    values,
  );
}

function assign(values: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [name, ...rest] = path;
  if (name === undefined) return;
  if (rest.length === 0) {
    values[name] = value;
    return;
  }
  const inner = values[name];
  const child = typeof inner === 'object' && inner !== null ? (inner as Record<string, unknown>) : {};
  values[name] = child;
  assign(child, rest, value);
}
