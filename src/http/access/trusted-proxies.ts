import { isIP } from 'node:net';
import { failure } from '../../core/errors.ts';

/** Names that the framework has for the addresses of a machine itself, of a link, and of private networks. */
const NAMED_RANGES = new Set(['loopback', 'linklocal', 'uniquelocal']);

/** What the framework takes as `trustProxy`. Fails with `invalid_config` on an entry that is no address and no range. */
export function trustedProxies(entries: readonly string[]): string[] | false {
  for (const entry of entries) {
    if (NAMED_RANGES.has(entry) || isIP(entry) !== 0 || isRange(entry)) continue;
    throw failure('invalid_config', `trust_proxy: ${entry} is not an address or a range such as 10.0.0.0/8.`);
  }
  return entries.length === 0 ? false : [...entries];
}

/** With a prefix, or for IPv4 also with a mask. */
function isRange(entry: string): boolean {
  const [address = '', mask = '', ...rest] = entry.split('/');
  const family = isIP(address);
  if (family === 0 || rest.length > 0) return false;
  if (family === 4 && isIP(mask) === 4) return true;
  return /^\d{1,3}$/.test(mask) && Number(mask) >= 1 && Number(mask) <= (family === 4 ? 32 : 128);
}
