import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/**
 * Keys. `rank` reads and ranks, `index` writes covers, `admin` does everything, operations included. A key is 32 random
 * bytes, so one round of SHA-256 is enough to store it: there is nothing to guess that a slow hash would protect.
 */
export type Scope = 'rank' | 'index' | 'admin';

export interface ApiKey {
  /** Named in the log of every request that used it. */
  readonly name: string;
  /** As `hashKey` gives it. */
  readonly hash: string;
  readonly scopes: readonly Scope[];
}

const HASH = /^sha256:[0-9a-f]{64}$/;

/** A new key: `crk_` and 32 random bytes in base64url. */
export function generateKey(): string {
  return `crk_${randomBytes(32).toString('base64url')}`;
}

/** What the configuration stores of a key: `sha256:` and the digest in hex. */
export function hashKey(key: string): string {
  return `sha256:${createHash('sha256').update(key).digest('hex')}`;
}

export function isKeyHash(text: string): boolean {
  return HASH.test(text);
}

/** The one whose key was presented. Takes the same time whichever it is: every hash is compared, each as a whole. */
export function findKey(presented: string, keys: readonly ApiKey[]): ApiKey | undefined {
  const hash = Buffer.from(hashKey(presented));
  return keys.reduce<ApiKey | undefined>(
    (found, key) => (timingSafeEqual(Buffer.from(key.hash), hash) ? key : found),
    undefined,
  );
}
