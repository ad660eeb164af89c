import { failure } from '../../core/errors.ts';
import { createPairsBuilder, type JudgedPairs } from './judged-pairs.ts';
import { isLabel } from './predictions.ts';
import { type CountedProblem, createRowProblems, type RowProblem } from './row-problems.ts';
import { type TextLine, textLines } from './text-lines.ts';

/**
 * - `cbvs`: query, cover, image address and label, a tab between each (CBVS-20K)
 * - `tsv`: query, cover and grade, a tab between each
 * - `trec`: topic, iteration, cover and grade, white space between each (TREC qrels); queries come from a file of topics
 * - `json`: an object a line: `query`, `id` and `grade`, or `text`, `image_path` and `label` (CCMB matching)
 */
export const JUDGEMENT_FORMATS = ['cbvs', 'tsv', 'trec', 'json'] as const;
export type JudgementFormat = (typeof JUDGEMENT_FORMATS)[number];

export interface Judgements {
  readonly format: JudgementFormat;
  readonly pairs: JudgedPairs;
  /** Address of a cover's picture, where the file has one. */
  readonly addresses: ReadonlyMap<string, string>;
  readonly problems: readonly CountedProblem[];
}

export interface JudgementOptions {
  /** Guessed from the first line when it is left out. */
  readonly format?: JudgementFormat | undefined;
  /** Labels are 0 … this. */
  readonly maxLabel: number;
  /** Query by topic, for TREC qrels. */
  readonly topics?: ReadonlyMap<string, string> | undefined;
}

interface JudgedRow {
  readonly query: string;
  readonly cover: string;
  readonly label: string;
  readonly address?: string | undefined;
}

type RowReader = (text: string) => JudgedRow | RowProblem;

/** Reads judgements. Rows that cannot be used are counted; fails with `invalid_request` when none can. */
export function readJudgements(bytes: Uint8Array, name: string, options: JudgementOptions): Judgements {
  const lines = textLines(bytes, name);
  const format = options.format ?? guessFormat(lines[0], options.topics !== undefined);
  if (format === undefined) {
    throw failure('invalid_request', `${name} is in none of the formats ${JUDGEMENT_FORMATS.join(', ')}.`);
  }
  const readRow = rowReader(format, options.topics, name);
  const problems = createRowProblems();
  const builder = createPairsBuilder(problems);
  const addresses = new Map<string, string>();
  let used = 0;
  for (const { number, text } of lines) {
    const row = readRow(text);
    if (typeof row === 'string') problems.add(row, number);
    else if (!isLabel(row.label, options.maxLabel)) problems.add('label_out_of_range', number);
    else {
      builder.add(row.query, row.cover, Number(row.label), number);
      if (row.address !== undefined) addresses.set(row.cover, row.address);
      used += 1;
    }
  }
  if (used === 0) throw failure('invalid_request', `${name} holds no usable judgement.`);
  return { format, pairs: builder.finish().pairs, addresses, problems: problems.list() };
}

/** Topics of a TREC collection: number and query, a tab between them, a topic a line. */
export function readTopics(bytes: Uint8Array, name: string): Map<string, string> {
  return new Map(
    textLines(bytes, name).map(({ number, text }) => {
      const [topic = '', query = ''] = text.split('\t');
      if (topic === '' || query === '') {
        throw failure(
          'invalid_request',
          `${name}: line ${number} must be a topic and a query with a tab between them.`,
        );
      }
      return [topic, query];
    }),
  );
}

/** TREC's iteration, which no measure reads: 0, or Q0 after the files of runs. */
const TREC_ITERATION = /^Q?0$/;
/** How the address of a picture begins, unlike an id that only holds a slash. */
const ADDRESS = /^(https?:|\/)/i;

/**
 * The format of a file by its first line, and by whether there are topics, which only TREC qrels need; undefined when it
 * looks like none.
 */
export function guessFormat(first: TextLine | undefined, hasTopics = false): JudgementFormat | undefined {
  if (first === undefined) return undefined;
  if (first.text.trimStart().startsWith('{')) return 'json';
  const columns = first.text.split('\t');
  if (columns.length === 3) return 'tsv';
  const [, second = '', third = ''] = columns;
  const canBeTrec = first.text.trim().split(/\s+/).length === 4;
  const isTrec = canBeTrec && (hasTopics || TREC_ITERATION.test(second));
  if (columns.length === 4 && !isTrec && ADDRESS.test(third)) return 'cbvs';
  return canBeTrec ? 'trec' : undefined;
}

function rowReader(format: JudgementFormat, topics: ReadonlyMap<string, string> | undefined, name: string): RowReader {
  if (format === 'json') return readJsonRow;
  if (format === 'cbvs') return ofColumns(4, ([query, cover, address, label]) => ({ query, cover, label, address }));
  if (format === 'tsv') return ofColumns(3, ([query, cover, label]) => ({ query, cover, label }));
  if (topics === undefined) {
    throw failure(
      'invalid_request',
      `${name} holds TREC qrels, which name topics; the file of their queries is needed.`,
    );
  }
  return (text) => readTrecRow(text, topics);
}

function ofColumns(count: number, toRow: (columns: [string, string, string, string]) => JudgedRow): RowReader {
  return (text) => {
    const columns = text.split('\t');
    if (columns.length > count) return 'extra_columns';
    if (columns.length < count || columns.some((column) => column.trim() === '')) return 'missing_columns';
    const [first = '', second = '', third = '', fourth = ''] = columns;
    return toRow([first, second, third, fourth]);
  };
}

/** In TREC's files a grade below 0 marks spam and the like, which is not relevant. */
function readTrecRow(text: string, topics: ReadonlyMap<string, string>): JudgedRow | RowProblem {
  const columns = text.trim().split(/\s+/);
  if (columns.length !== 4) return columns.length < 4 ? 'missing_columns' : 'extra_columns';
  const [topic = '', , cover = '', grade = ''] = columns;
  const query = topics.get(topic);
  if (query === undefined) return 'unknown_topic';
  return { query, cover, label: /^-\d+$/.test(grade) ? '0' : grade };
}

function readJsonRow(text: string): JudgedRow | RowProblem {
  let row: Readonly<Record<string, unknown>>;
  try {
    row = Object(JSON.parse(text));
  } catch {
    return 'invalid_json';
  }
  const query = row['query'] ?? row['text'];
  const cover = row['id'] ?? row['image_path'];
  const label = row['grade'] ?? row['label'];
  if (typeof query !== 'string' || query.trim() === '' || typeof cover !== 'string' || cover === '') {
    return 'missing_columns';
  }
  return label === undefined ? 'missing_columns' : { query, cover, label: String(label) };
}
