import { isIP } from 'node:net';
import { failure } from '../../core/errors.ts';
import { parseIpRange } from '../../core/ip-range.ts';

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

/** With a prefix, or for IPv4 also with a mask. The framework has none of all addresses. */
function isRange(entry: string): boolean {
  const range = parseIpRange(entry);
  if (range !== undefined) return range.prefix > 0;
  const parts = entry.split('/');
  return parts.length === 2 && parts.every((part) => isIP(part) === 4);
}
