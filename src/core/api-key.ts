import { createHash, randomBytes, type ScryptOptions, scrypt, scryptSync, timingSafeEqual } from 'node:crypto';

/** Keys. `rank` reads and ranks, `index` writes covers, `admin` does everything, operations included. */
export type Scope = 'rank' | 'index' | 'admin';

export interface ApiKey {
  /** Named in the log of every request that used it. */
  readonly name: string;
  /** As `hashKey` gives it. */
  readonly hash: string;
  readonly scopes: readonly Scope[];
  /** Requests that the key may make in a minute; without it that of the configuration as a whole. */
  readonly requests_per_minute?: number;
}

const SALT_BYTES = 16;
const SECRET_BYTES = 32;
/** `crk_`, the salt and the secret, both in base64url. */
const KEY = /^crk_([\w-]{22})_[\w-]{43}$/;
const SALTED_HASH = /^scrypt:([\w-]{22}):([\w-]{43})$/;
const PLAIN_HASH = /^sha256:[0-9a-f]{64}$/;

/** 16 MiB and some tens of milliseconds. The name `scrypt:` stands for these numbers; others would need another name. */
const COST: ScryptOptions = { N: 2 ** 14, r: 8, p: 1 };
const DIGEST_BYTES = 32;

/**
 * A new key. Its first part is the salt of its hash: it tells which stored hash to compare with, so that nobody who does
 * not hold a part of a real key can make the service compute even one slow hash.
 */
export function generateKey(): string {
  return `crk_${randomBytes(SALT_BYTES).toString('base64url')}_${randomBytes(SECRET_BYTES).toString('base64url')}`;
}

/** The public part of a key, undefined for what is not one of ours. */
export function saltOfKey(key: string): string | undefined {
  return KEY.exec(key)?.[1];
}

/** The same part as a stored hash names it; undefined for `sha256:` hashes, which have none. */
export function saltOfHash(hash: string): string | undefined {
  return SALTED_HASH.exec(hash)?.[1];
}

/** What the configuration stores of a key: `scrypt:`, its salt and the digest. Takes its time; for commands. */
export function hashKey(key: string): string {
  const salt = saltOfKey(key);
  if (salt === undefined) throw new Error('only keys that generateKey made can be hashed');
  return saltedHash(salt, scryptSync(key, salt, DIGEST_BYTES, COST));
}

/** Whether `hash` is that of the key, computed off the calling thread. */
export async function isKeyOfHash(key: string, hash: string): Promise<boolean> {
  const salt = saltOfKey(key);
  if (salt === undefined || salt !== saltOfHash(hash)) return false;
  const digest = await new Promise<Buffer>((resolve, reject) => {
    scrypt(key, salt, DIGEST_BYTES, COST, (error, derived) => (error === null ? resolve(derived) : reject(error)));
  });
  return timingSafeEqual(Buffer.from(saltedHash(salt, digest)), Buffer.from(hash));
}

/** `sha256:` and 64 hex digits, which earlier releases stored, or `scrypt:`. */
export function isKeyHash(text: string): boolean {
  return SALTED_HASH.test(text) || isPlainHash(text);
}

export function isPlainHash(text: string): boolean {
  return PLAIN_HASH.test(text);
}

/**
 * The one whose `sha256:` hash is that of the key. Takes the same time whichever it is: every hash is compared, each as
 * a whole.
 */
export function findByPlainHash(key: string, keys: readonly ApiKey[]): ApiKey | undefined {
  const hash = Buffer.from(`sha256:${createHash('sha256').update(key).digest('hex')}`);
  return keys.reduce<ApiKey | undefined>(
    (found, each) => (timingSafeEqual(Buffer.from(each.hash), hash) ? each : found),
    undefined,
  );
}

function saltedHash(salt: string, digest: Buffer): string {
  return `scrypt:${salt}:${digest.toString('base64url')}`;
}
