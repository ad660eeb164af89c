import type { ApiKey } from '../core/api-key.ts';
import type { CoverEncoder, CoverIndex, JudgementStore, QueryEncoder } from '../core/ports.ts';
import type { CoverIndexer } from '../indexing/index-covers.ts';
import type { Ranker } from '../ranking/rank.ts';
import type { PairScorer } from '../ranking/score.ts';

/** What the HTTP application needs of the rest of the service, and nothing else of it. */
export interface AppServices {
  readonly ranker: Ranker;
  readonly scorer: PairScorer;
  readonly indexer: CoverIndexer;
  readonly index: CoverIndex;
  readonly judgements: JudgementStore;
  readonly queryEncoder: QueryEncoder;
  readonly coverEncoder: CoverEncoder;
  /** The server that reranks; undefined where this process does. */
  readonly rerankServer: RerankServer | undefined;
  /** What the service had to help itself with, or did in the background, since it started. */
  readonly events: HappenedEvents;
  /** The parts that /rank needs, and whether each can work now. */
  health(): readonly HealthPart[];
}

/** `part` is the thread concerned; empty where there is none. */
export type HappenedEvents = () => readonly { readonly event: string; readonly part: string; readonly count: number }[];

export interface HealthPart {
  readonly name: string;
  readonly ready: boolean;
  /** Whether /rank cannot be answered without it; the others are fallen back from, and the answer says so. */
  readonly required: boolean;
  /** For operators: what the part is doing or what is wrong. Holds no path and no address. */
  readonly detail: string;
}

export interface RerankServer {
  status(): {
    readonly server: string;
    readonly breaker: string;
    readonly calls: number;
    readonly retries: number;
  };
}

/** Another coverrank whose rankings can be asked for here. */
export interface PeerSettings {
  readonly name: string;
  /** Of the service's root. */
  readonly url: string;
  readonly key?: string;
}

/** The settings that the application reads; the service's configuration has this shape. */
export interface AppConfig {
  readonly api_keys: readonly ApiKey[];
  readonly peers: readonly PeerSettings[];
  readonly trust_proxy: readonly string[];
  readonly cors_origins: readonly string[];
  readonly limits: {
    readonly rank_concurrency: number;
    readonly rank_queue: number;
    readonly index_concurrency: number;
    readonly index_queue: number;
    readonly image_max_bytes: number;
    readonly requests_per_minute: number;
  };
}
