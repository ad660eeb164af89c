import { type Sentence, t } from '../language/language.ts';
import type { Problem, ServiceError } from './service-error.ts';

/** Codes whose advice needs nothing but the code. */
const BY_CODE: Readonly<Record<string, Sentence>> = {
  network: 'error.network',
  unreadable_answer: 'error.unreadable_answer',
  unreadable_file: 'error.unreadable_file',
  undecodable_image: 'error.undecodable_image',
  unsupported_image: 'error.unsupported_image',
  image_too_large: 'error.image_too_large',
  too_large: 'error.too_large',
  fetch_forbidden: 'error.fetch_forbidden',
  fetch_failed: 'error.fetch_failed',
  fetch_refused: 'error.fetch_refused',
  draining: 'error.draining',
  deadline_exceeded: 'error.deadline_exceeded',
  storage_full: 'error.storage_full',
};

/** What went wrong and what to do, in the page's language. */
export function advice({ problem, hadKey, retryAfterSeconds }: ServiceError): string {
  const { code } = problem;
  const detail = detailOf(problem);
  if (code === 'unauthenticated') {
    return hadKey ? t('error.unauthenticated.wrong') : t('error.unauthenticated.none', { scope: 'rank' });
  }
  if (code === 'overloaded' || code === 'rate_limited') return t(`error.${code}`, { seconds: retryAfterSeconds ?? 1 });
  if (code === 'invalid_request' && isTooLong(problem)) return t('error.queryTooLong', { limit: limitOf(problem) });
  if (code === 'forbidden' || code === 'invalid_request' || code === 'unavailable' || code === 'not_found') {
    return t(`error.${code}`, { detail });
  }
  return itemAdvice({ code, detail });
}

/** The same for one item or pair of a request whose rest went well. */
export function itemAdvice({ code, detail }: Problem): string {
  const sentence = BY_CODE[code];
  if (sentence !== undefined) return t(sentence);
  return code === 'not_found' ? t('error.not_found', { detail }) : t('error.other', { detail });
}

function detailOf({ detail, errors }: Problem): string {
  if (errors === undefined || errors.length === 0) return detail;
  return errors.map(({ path, message }) => `${path.slice(1).replaceAll('/', '.')} ${message}`).join('; ');
}

const TOO_LONG = /NOT have more than (\d+) characters/;

function isTooLong({ errors }: Problem): boolean {
  return errors?.some(({ path, message }) => path.endsWith('query') && TOO_LONG.test(message)) ?? false;
}

function limitOf({ errors }: Problem): number {
  return Number(errors?.map(({ message }) => TOO_LONG.exec(message)?.[1]).find((limit) => limit !== undefined));
}
