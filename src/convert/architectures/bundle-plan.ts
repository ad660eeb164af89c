import type { BundleGraphName, BundleManifest } from '../../core/bundle-format.ts';
import type { GraphContent } from '../onnx/graph.ts';
import type { GraphPrecision, Precisions } from '../precision.ts';
import type { TokenBits, TokenShape } from '../towers/image-tokens.ts';
import type { Mapping } from './tensor-layout.ts';

/** What the caller may decide; undefined means what the weights and the published models say. */
export interface PlanOptions {
  readonly precision: Precisions;
  /** Bits of a number of the image tokens that are kept for the reranker. */
  readonly tokenBits: TokenBits | undefined;
  /** Patches along each side that become one stored token; 1 is each its own. */
  readonly poolTokens: number | undefined;
  readonly contextLength: number | undefined;
  readonly ocrContextLength: number | undefined;
  readonly imageSize: number | undefined;
  readonly visionHeads: number | undefined;
  readonly textHeads: number | undefined;
  readonly visionModel: string | undefined;
  readonly textModel: string | undefined;
}

export interface PlannedGraph {
  readonly name: BundleGraphName;
  readonly precision: GraphPrecision;
  readonly content: GraphContent;
}

/** Graphs that share one file of weights. */
export interface GraphFamily {
  readonly dataFile: string;
  readonly graphs: readonly PlannedGraph[];
}

/** Everything that a bundle will be, worked out from names and shapes; no weight has been read yet. */
export interface BundlePlan {
  /** As a person would name it. */
  readonly architecture: string;
  readonly embeddingDim: number;
  readonly tokenizer: {
    readonly contextLength: number;
    readonly specialTokensInText: boolean;
    readonly maxWordCharacters: number;
  };
  readonly image: { readonly size: number; readonly mean: readonly number[]; readonly std: readonly number[] };
  /** How the reference code reads pictures, for those who ask for that. */
  readonly referenceDecoding: Exclude<BundleManifest['image']['decoding'], 'viewer'>;
  readonly tokens: TokenShape | null;
  readonly rerank: { readonly contextLength: number; readonly signals: readonly string[] } | null;
  readonly hasPresence: boolean;
  readonly signals: readonly string[];
  /** Weight of each signal unless the caller says otherwise. */
  readonly fusion: Readonly<Record<string, number>>;
  /** Rows of each table that token ids look up: the vocabulary has to have as many pieces. */
  readonly vocabularyRows: readonly number[];
  /** Named sizes for the report. */
  readonly sizes: Readonly<Record<string, number>>;
  readonly mapping: Mapping;
  /** Stored names that were spelt otherwise. */
  readonly renamed: number;
  /** Numbers in the tensors that are used. */
  readonly parameters: number;
  readonly families: readonly GraphFamily[];
}
