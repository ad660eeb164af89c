import { type FieldError, failure } from '../../../core/errors.ts';
import type { FusionWeights } from '../../../ranking/fuse.ts';
import type { RankRequest } from '../../../ranking/rank.ts';
import { escapePointer } from '../../error-handler.ts';
import { DEFAULTS, LIMITS } from '../../limits.ts';
import type { RankBody } from '../../schemas/rank.ts';

/** The request as the ranker wants it; fails with every field that the schema alone could not refuse. */
export function parseRank(body: RankBody): RankRequest {
  const recallK = body.recall_k ?? Math.max(DEFAULTS.recallK, body.top_n);
  const rerankK = body.rerank_k ?? Math.min(DEFAULTS.rerankK, recallK);
  const query = body.query.trim();
  const errors = [...queryErrors(query, '/query'), ...candidateErrors(body.candidates ?? [])];
  if (recallK < body.top_n) errors.push({ path: '/recall_k', message: `must be >= top_n (${body.top_n})` });
  if (rerankK > recallK) errors.push({ path: '/rerank_k', message: `must be <= recall_k (${recallK})` });
  if (errors.length > 0) throw failure('invalid_request', 'The request does not have the right form.', { errors });
  return {
    query,
    topN: body.top_n,
    recallK,
    rerankK,
    deadlineMs: body.deadline_ms,
    ...(body.candidates === undefined ? {} : { candidates: [...new Set(body.candidates)] }),
    ...(body.filter === undefined ? {} : { filter: body.filter }),
    ...(body.weights === undefined ? {} : { weights: body.weights }),
  };
}

/** Refuses weights of signals that nothing which is loaded gives: they would silently count for nothing. */
export function checkWeights(weights: FusionWeights | undefined, offered: readonly string[]): void {
  const errors = Object.keys(weights ?? {})
    .filter((signal) => !offered.includes(signal))
    .map((signal) => ({
      path: `/weights/${escapePointer(signal)}`,
      message: `is not a signal of this service, which offers ${offered.join(', ')}`,
    }));
  if (errors.length > 0) throw failure('invalid_request', 'The request does not have the right form.', { errors });
}

/** Length is counted in code points and after trimming, which a schema cannot say. */
export function queryErrors(trimmed: string, path: string): FieldError[] {
  // A string has at most twice as many UTF-16 units as code points, so counting can be spared for most.
  const tooLong =
    trimmed.length > 2 * LIMITS.queryCharacters ||
    (trimmed.length > LIMITS.queryCharacters && [...trimmed].length > LIMITS.queryCharacters);
  return tooLong ? [{ path, message: `must NOT have more than ${LIMITS.queryCharacters} characters` }] : [];
}

/** Ids are bounded in bytes, where the schema counts characters. */
export function coverIdErrors(id: string, path: string): FieldError[] {
  return Buffer.byteLength(id) > LIMITS.coverIdBytes
    ? [{ path, message: `must NOT have more than ${LIMITS.coverIdBytes} bytes` }]
    : [];
}

/** What is kept has to be well-formed: a lone surrogate has no bytes of its own, so that two such texts would become one. */
export function unicodeErrors(text: string, path: string): FieldError[] {
  return text.isWellFormed() ? [] : [{ path, message: 'must be well-formed Unicode' }];
}

/**
 * Refuses conditions that are negated too often. It runs before the schema is checked: the validator recurses, and a
 * condition nested a hundred thousand times would end in its stack.
 */
export function checkNesting(body: unknown): void {
  if (!isObject(body) || !isObject(body['filter'])) return;
  for (const [name, condition] of Object.entries(body['filter'])) {
    let inner: unknown = condition;
    for (let depth = 0; isObject(inner) && Object.hasOwn(inner, 'not'); depth++) {
      if (depth === LIMITS.filterNesting) {
        const error = { path: `/filter/${escapePointer(name)}`, message: `is nested more than ${depth} times` };
        throw failure('invalid_request', 'The request does not have the right form.', { errors: [error] });
      }
      inner = inner['not'];
    }
  }
}

function candidateErrors(candidates: readonly string[]): FieldError[] {
  return candidates.flatMap((id, position) => coverIdErrors(id, `/candidates/${position}`));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
