import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import pLimit from 'p-limit';
import {
  type ApiKey,
  findByPlainHash,
  isKeyHash,
  isKeyOfHash,
  isPlainHash,
  saltOfHash,
  saltOfKey,
} from '../../core/api-key.ts';
import { failure } from '../../core/errors.ts';

export interface KeyRing {
  readonly isEmpty: boolean;
  /** Names of the keys that are stored as earlier releases did. */
  readonly outdated: readonly string[];
  /** The entry of the key that was presented. Rejects with `rate_limited` when too many keys await their first check. */
  find(presented: string): Promise<ApiKey | undefined>;
}

/** Different keys that may wait to be checked for the first time. */
const MAX_WAITING = 16;

/**
 * The configured keys. A stored hash is slow to compute, so a key that passed is remembered by a fast keyed digest,
 * under a secret that this process made up: from the second request on a key costs microseconds, and what is held in
 * memory is of no use elsewhere. Slow hashes are computed off the main thread, one at a time, so that keys with a right
 * salt and a wrong secret cannot take all of the thread pool. Fails with `invalid_config` on a hash of another form.
 */
export function createKeyRing(keys: readonly ApiKey[]): KeyRing {
  for (const { name, hash } of keys) {
    if (!isKeyHash(hash)) throw failure('invalid_config', `The hash of the key "${name}" is not of a known form.`);
  }
  const plain = keys.filter(({ hash }) => isPlainHash(hash));
  const bySalt = new Map(keys.flatMap((key) => [[saltOfHash(key.hash), key] as const]));
  const secret = randomBytes(32);
  const passed = new Map<ApiKey, Buffer>();
  /** By digest; requests that come with a key while it is being checked wait for the same check. */
  const checks = new Map<string, Promise<ApiKey | undefined>>();
  const oneByOne = pLimit(1);

  const hasPassed = (key: ApiKey, digest: Buffer): boolean => {
    const known = passed.get(key);
    return known !== undefined && timingSafeEqual(known, digest);
  };

  function check(presented: string, key: ApiKey, digest: Buffer): Promise<ApiKey | undefined> {
    const mark = digest.toString('base64');
    const running = checks.get(mark);
    if (running !== undefined) return running;
    if (oneByOne.pendingCount >= MAX_WAITING) {
      throw failure('rate_limited', 'Too many keys wait to be checked.', { retryAfterSeconds: 1 });
    }
    const started = oneByOne(() => isKeyOfHash(presented, key.hash))
      .then((isKey) => {
        if (!isKey) return undefined;
        passed.set(key, digest);
        return key;
      })
      .finally(() => checks.delete(mark));
    checks.set(mark, started);
    return started;
  }

  return {
    isEmpty: keys.length === 0,
    outdated: plain.map(({ name }) => name),
    async find(presented) {
      const salt = saltOfKey(presented);
      const key = salt === undefined ? undefined : bySalt.get(salt);
      if (key === undefined) return findByPlainHash(presented, plain);
      const digest = createHmac('sha256', secret).update(presented).digest();
      return hasPassed(key, digest) ? key : check(presented, key, digest);
    },
  };
}
