import { isIP } from 'node:net';

export interface IpRange {
  readonly address: string;
  readonly family: 'ipv4' | 'ipv6';
  /** Bits that all addresses of the range share. */
  readonly prefix: number;
}

/** `10.0.0.0/8`, `fd00::/8`; undefined for anything else. */
export function parseIpRange(text: string): IpRange | undefined {
  const [, address = '', bits = ''] = /^([^/]+)\/(\d{1,3})$/.exec(text) ?? [];
  const version = isIP(address);
  const prefix = Number(bits);
  if (version === 0 || prefix > (version === 4 ? 32 : 128)) return undefined;
  return { address, family: version === 4 ? 'ipv4' : 'ipv6', prefix };
}
