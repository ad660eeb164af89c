import type { BundleGraphName, Precision } from '../../core/bundle-format.ts';
import type { GraphContent } from '../onnx/graph.ts';
import type { Mapping } from './uniclip-layout.ts';

/** Graphs that share one file of weights. */
export interface GraphFamily {
  readonly dataFile: string;
  readonly precision: Precision;
  readonly graphs: readonly { readonly name: BundleGraphName; readonly content: GraphContent }[];
}

/** Everything that a bundle will be, worked out from names and shapes; no weight has been read yet. */
export interface BundlePlan {
  /** As a person would name it. */
  readonly architecture: string;
  readonly embeddingDim: number;
  readonly contextLength: number;
  readonly image: { readonly size: number; readonly mean: readonly number[]; readonly std: readonly number[] };
  readonly tokens: { readonly count: number; readonly width: number } | null;
  readonly rerank: { readonly contextLength: number; readonly signals: readonly string[] } | null;
  readonly hasPresence: boolean;
  readonly signals: readonly string[];
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
