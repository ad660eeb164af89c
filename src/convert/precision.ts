import { failure } from '../core/errors.ts';

/** Numbers that a graph computes with. */
export type GraphPrecision = 'fp32' | 'fp16' | 'int8';

/** Graphs whose precision may be chosen; preprocess is float32 always. `rerank` includes its float-token twin. */
const CHOSEN_GRAPHS = ['text', 'image', 'rerank'] as const;
export type Precisions = Readonly<Record<(typeof CHOSEN_GRAPHS)[number], GraphPrecision>>;

export function samePrecision(precision: GraphPrecision): Precisions {
  return { text: precision, image: precision, rerank: precision };
}

/** `int8` for all graphs, or `text=int8,rerank=int8`: graphs left out are fp32. Throws `invalid_config`. */
export function parsePrecisions(text: string): Precisions {
  if (!text.includes('=')) return samePrecision(parsePrecision(text));
  const chosen: Record<(typeof CHOSEN_GRAPHS)[number], GraphPrecision> = { ...samePrecision('fp32') };
  for (const term of text.split(',')) {
    const [graph = '', precision = ''] = term.split('=').map((part) => part.trim());
    const known = CHOSEN_GRAPHS.find((name) => name === graph);
    if (known === undefined) {
      throw failure('invalid_config', `--precision names ${graph}, but the graphs are ${CHOSEN_GRAPHS.join(', ')}.`);
    }
    chosen[known] = parsePrecision(precision);
  }
  return chosen;
}

/** One word where all graphs agree, else one term a graph. */
export function describePrecisions(precisions: Readonly<Partial<Record<string, string>>>): string {
  const named = CHOSEN_GRAPHS.filter((graph) => precisions[graph] !== undefined);
  const different = new Set(named.map((graph) => precisions[graph]));
  if (different.size === 1) return [...different][0] ?? '';
  return named.map((graph) => `${graph}=${precisions[graph]}`).join(',');
}

function parsePrecision(text: string): GraphPrecision {
  if (text === 'fp32' || text === 'fp16' || text === 'int8') return text;
  throw failure('invalid_config', `--precision ${text} is unknown: fp32, fp16 and int8 can be had.`);
}
