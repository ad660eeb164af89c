import { type Static, type TSchema, Type } from 'typebox';

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
    requests_per_minute: Type.Optional(
      Type.Integer({ minimum: 0, description: 'In place of limits.requests_per_minute; 0: no limit.' }),
    ),
  },
  { additionalProperties: false },
);

const Peer = Type.Object(
  {
    name: Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$' }),
    url: Type.String({ pattern: '^https?://', description: 'http://host:port of another coverrank.' }),
    key: Type.Optional(Type.String({ minLength: 1, description: 'A key of that service with the scope rank.' })),
  },
  { additionalProperties: false },
);

const Limits = Type.Object(
  {
    rank_concurrency: integer(
      0,
      0,
      'Requests to /rank, /score and /embed that are worked on at once; 0: four for each core, 8 to 64.',
    ),
    rank_queue: integer(256, 0, 'Such requests that may wait; one more is answered 429.'),
    index_concurrency: integer(4, 1, 'Requests to /index that are worked on at once.'),
    index_queue: integer(16, 0, 'Such requests that may wait; one more is answered 429.'),
    text_queue: integer(1024, 1, 'Texts that may wait for the text tower.'),
    text_batch_tokens: integer(256, 1, 'Padded tokens in one batch of the text tower.'),
    rerank_queue: integer(512, 1, 'Queries that may wait for the cross-encoder.'),
    rerank_batch_pairs: integer(64, 1, 'Pairs in one batch of the cross-encoder.'),
    rerank_in_flight: integer(8, 1, 'Calls to the server behind rerank_url at once.'),
    image_queue: integer(256, 1, 'Pictures that may wait for the image tower.'),
    image_batch: integer(8, 1, 'Pictures in one batch of the image tower.'),
    image_max_bytes: integer(10 * 1024 * 1024, 1, 'Bytes of one picture.'),
    image_max_pixels: integer(25_000_000, 1, 'Pixels of one picture.'),
    requests_per_minute: integer(
      0,
      0,
      'Requests in a minute by one key, or by one address where no keys are needed; 0: no limit.',
    ),
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
    skip_ms: integer(60_000, 0, 'Milliseconds for which a refused address or a failing host is left alone; 0: never.'),
  },
  { default: {}, additionalProperties: false },
);

const Index = Type.Object(
  {
    snapshot_every_writes: integer(10_000, 1, 'Writes after which the graph is saved, so that a restart replays less.'),
    rebuild_tombstones: integer(
      1_000,
      1,
      'Deleted or replaced covers in the graph below which it is never built anew.',
    ),
    rebuild_share: Type.Number({
      default: 0.2,
      minimum: 0.01,
      maximum: 1,
      description: 'Share of such covers in the graph above which it is built anew in the background.',
    }),
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
    rerank_model: Type.String({
      default: '',
      description: 'Folder of another bundle, whose reranker is used. Empty: that of `model`, where it has one.',
    }),
    rerank_url: Type.String({
      default: '',
      description:
        'Server of the Open Inference Protocol that reranks: http://host:port, or with /v2/models/NAME behind it. Empty: this process does.',
    }),
    rerank_timeout_ms: integer(1000, 1, 'Milliseconds that one call to the server behind rerank_url may take.'),
    rerank_shared_memory: Type.Boolean({
      default: true,
      description:
        'Hand image tokens to a reranking server on this machine through shared memory, where it offers that.',
    }),
    fusion: Type.Record(Type.String(), Type.Number(), {
      default: {},
      description: 'Weight per signal; replaces the weights that the bundle carries.',
    }),
    api_keys: Type.Array(ApiKey, { default: [], description: 'Keys that may call; none: everybody on loopback may.' }),
    peers: Type.Array(Peer, {
      default: [],
      description: 'Other services, with another bundle say, whose rankings POST /services/NAME/rank passes on.',
    }),
    trust_proxy: Type.Array(Type.String(), {
      default: [],
      description: 'Addresses or CIDR of proxies whose X-Forwarded-For and X-Forwarded-Host are believed.',
    }),
    cors_origins: Type.Array(Type.String(), {
      default: [],
      description: 'Origins such as https://search.example whose pages may call the service; none: only its own.',
    }),
    log_level: Type.Union(
      ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'].map((level) => Type.Literal(level)),
      { default: 'info', description: 'Least severe level that is logged.' },
    ),
    shutdown_timeout_ms: Type.Integer({
      default: 15_000,
      minimum: 0,
      maximum: 86_400_000,
      description: 'Milliseconds that running requests get to finish on shutdown.',
    }),
    limits: Limits,
    device: Type.Union([Type.Literal('cpu'), Type.Literal('cuda')], {
      default: 'cpu',
      description: 'Where the models of this process run.',
    }),
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

export const settings: readonly Setting[] = leavesOf(ConfigSchema, []);

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
