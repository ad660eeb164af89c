import { failure } from '../../../core/errors.ts';
import type { Grade, Judgement } from '../../../core/types.ts';
import { queryOfRows } from '../../../eval/judgements/judged-pairs.ts';
import {
  guessFormat,
  type JudgementFormat,
  type Judgements,
  readJudgements,
  readTopics,
} from '../../../eval/judgements/judgements.ts';
import { textLines } from '../../../eval/judgements/text-lines.ts';
import { parseJson } from '../../json-source.ts';
import type { ImportAnswer } from '../../schemas/judgements.ts';
import { coverIdErrors, queryErrors, unicodeErrors } from '../rank/parse.ts';

/** A file of judgements that was sent to be imported. Its buffers are its own, so that they can move between threads. */
export interface ImportFile {
  /** As it was named or guessed; undefined when it looks like none. */
  readonly format: JudgementFormat | undefined;
  readonly text: Uint8Array<ArrayBuffer>;
  readonly topics: Uint8Array<ArrayBuffer> | undefined;
}

export interface OpenedImport {
  /** The body with its long strings cut short: enough to be validated. */
  readonly outline: unknown;
  /** Undefined where the body has no text. */
  readonly file: ImportFile | undefined;
}

export interface ImportRead extends Pick<ImportAnswer, 'format' | 'problems'> {
  /** As `JudgementStore.putPacked` takes them; one at least. */
  readonly judgements: Uint8Array<ArrayBuffer>;
}

const MAX_GRADE = 2;
const NAMED_LINES = 20;
/** More than a body may have, and more characters than the name of a format has: what is cut down is still refused. */
const MOST_FIELDS = 8;
const MOST_CHARACTERS = 64;
/** Told problems name these files. */
const FILE = 'The file';
const TOPICS_FILE = 'The file of topics';

/** Throws `invalid_request` for what is not JSON in UTF-8. */
export function openImport(bytes: Uint8Array): OpenedImport {
  if (bytes.length === 0) throw failure('invalid_request', 'The body is empty.');
  const json = parseJson(bytes, 'The body');
  return { outline: outlineOf(json), file: fileOf(json) };
}

/**
 * The last judgement of each pair, and what was wrong with the rest. `keptTopics` has the service's own topics, for TREC
 * qrels that came without any: JSON arrays of [topic, query] in UTF-8. Throws `invalid_request` when nothing can be used.
 */
export function readImport(
  { format, text, topics }: ImportFile,
  keptTopics: readonly Uint8Array[] | undefined,
): ImportRead {
  const read = readJudgements(text, FILE, {
    format,
    maxLabel: MAX_GRADE,
    topics: topics === undefined ? keptTopics && unpackTopics(keptTopics) : readTopics(topics, TOPICS_FILE),
  });
  const rows = lastOfEachPair(read);
  const usable = rows.filter(isStorable);
  if (usable.length === 0) throw failure('invalid_request', 'The file holds no usable judgement.');
  const told = read.problems.map((problem) => ({ ...problem, lines: [...problem.lines] }));
  return {
    format: read.format,
    judgements: packJson(usable.map(({ query, id, grade }) => ({ query, id, grade }))),
    problems: [...told, ...tooLong(rows.filter((row) => !isStorable(row)))],
  };
}

/** JSON in UTF-8, in a buffer of its own. */
export function packJson(value: unknown): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify(value));
}

function outlineOf(json: unknown): unknown {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return cutShort(json);
  const fields = Object.entries(json).slice(0, MOST_FIELDS);
  return Object.fromEntries(fields.map(([name, value]) => [name.slice(0, MOST_CHARACTERS), cutShort(value)]));
}

function cutShort(value: unknown): unknown {
  if (typeof value === 'string') return value.slice(0, MOST_CHARACTERS);
  if (typeof value !== 'object' || value === null) return value;
  return Array.isArray(value) ? [] : {};
}

function fileOf(json: unknown): ImportFile | undefined {
  const { format, text, topics } = Object(json) as Readonly<Record<string, unknown>>;
  if (typeof text !== 'string') return undefined;
  const bytes = new TextEncoder().encode(text);
  return {
    format:
      typeof format === 'string'
        ? (format as JudgementFormat)
        : guessFormat(textLines(bytes, FILE)[0], typeof topics === 'string'),
    text: bytes,
    topics: typeof topics === 'string' ? new TextEncoder().encode(topics) : undefined,
  };
}

function unpackTopics(slices: readonly Uint8Array[]): Map<string, string> {
  return new Map(slices.flatMap((slice) => JSON.parse(new TextDecoder().decode(slice)) as [string, string][]));
}

interface Row extends Pick<Judgement, 'query' | 'id' | 'grade'> {
  /** Of the file, from 1. */
  readonly line: number;
}

function lastOfEachPair({ pairs }: Judgements): Row[] {
  const queryOf = queryOfRows(pairs);
  const byPair = new Map<string, Row>();
  pairs.label.forEach((label, row) => {
    const query = (pairs.queries[queryOf[row] ?? 0] ?? '').trim();
    const id = pairs.covers[pairs.cover[row] ?? 0] ?? '';
    byPair.set(JSON.stringify([query, id]), { query, id, grade: label as Grade, line: pairs.line[row] ?? 0 });
  });
  return [...byPair.values()];
}

/** Within the limits that ranking and indexing have too: beyond them there is nothing to judge. */
function isStorable({ query, id }: Row): boolean {
  const errors = [
    ...queryErrors(query, ''),
    ...coverIdErrors(id, ''),
    ...unicodeErrors(query, ''),
    ...unicodeErrors(id, ''),
  ];
  return errors.length === 0;
}

function tooLong(rows: readonly Row[]) {
  if (rows.length === 0) return [];
  const title = 'has a query or an id that is longer than the service takes, or not well-formed Unicode';
  const lines = rows.slice(0, NAMED_LINES).map(({ line }) => line);
  return [{ problem: 'too_long', title, effect: 'left out' as const, count: rows.length, lines }];
}
