import { BlockList, isIP } from 'node:net';
import { failure } from '../core/errors.ts';
import { parseIpRange } from '../core/ip-range.ts';

/**
 * Which addresses an image URL may reach: the public internet on ports 80 and 443, and what the operator allows besides.
 */
export interface AddressPolicy {
  /** What a connection to `hostname:port` may end at; undefined when it may not be opened at all. */
  targetRule(hostname: string, port: number): AddressRule | undefined;
}

/** True when a connection may go to this address (an IP literal, as sockets and resolvers give it). */
export type AddressRule = (address: string) => boolean;

const SPECIAL_IPV4 = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
] as const;

/** Only global unicast is public in IPv6; within it these are tunnels, documentation and protocol assignments. */
const GLOBAL_IPV6 = ['2000::', 3] as const;
const SPECIAL_IPV6 = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
] as const;

const PUBLIC_PORTS = new Set([80, 443]);

interface HostEntry {
  readonly hostname: string;
  readonly port: number | undefined;
}

interface NetEntry {
  readonly addresses: BlockList;
  readonly port: number | undefined;
}

/**
 * `allow` lists hosts (`cdn.internal`, every port), `host:port`, addresses with or without a port, and CIDR ranges. A
 * named host may resolve to any address; an address or a range also admits names that resolve into it. Fails with
 * `invalid_config` on an entry that is none of these.
 */
export function createAddressPolicy(allow: readonly string[]): AddressPolicy {
  const entries = allow.map(parseEntry);
  const hosts = entries.filter((entry): entry is HostEntry => 'hostname' in entry);
  const nets = entries.filter((entry): entry is NetEntry => 'addresses' in entry);

  return {
    targetRule(hostname, port) {
      const name = withoutBrackets(hostname).replace(/\.$/, '');
      if (hosts.some((entry) => entry.hostname === name && admitsPort(entry, port))) return () => true;
      const here = nets.filter((entry) => admitsPort(entry, port));
      const allowed: AddressRule = (address) => here.some((entry) => holds(entry.addresses, address));
      const rule: AddressRule = PUBLIC_PORTS.has(port)
        ? (address) => isPublicAddress(address) || allowed(address)
        : allowed;
      if (isIP(name) !== 0) return rule(name) ? rule : undefined;
      return PUBLIC_PORTS.has(port) || here.length > 0 ? rule : undefined;
    },
  };
}

/** True for addresses of the public internet; false for every special-purpose range and for IPv4 inside IPv6. */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address);
  if (family === 4) return !specialIpv4.check(address, 'ipv4');
  if (family === 6) return globalIpv6.check(address, 'ipv6') && !specialIpv6.check(address, 'ipv6');
  return false;
}

const specialIpv4 = blockList(SPECIAL_IPV4, 'ipv4');
const globalIpv6 = blockList([GLOBAL_IPV6], 'ipv6');
const specialIpv6 = blockList(SPECIAL_IPV6, 'ipv6');

function blockList(subnets: readonly (readonly [string, number])[], family: 'ipv4' | 'ipv6'): BlockList {
  const list = new BlockList();
  for (const [net, prefix] of subnets) list.addSubnet(net, prefix, family);
  return list;
}

function holds(list: BlockList, address: string): boolean {
  const family = isIP(address);
  return family !== 0 && list.check(address, family === 4 ? 'ipv4' : 'ipv6');
}

function admitsPort(entry: HostEntry | NetEntry, port: number): boolean {
  return entry.port === undefined || entry.port === port;
}

function withoutBrackets(hostname: string): string {
  return hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;
}

function parseEntry(text: string): HostEntry | NetEntry {
  const range = parseIpRange(text);
  if (range !== undefined)
    return { addresses: blockList([[range.address, range.prefix]], range.family), port: undefined };
  if (isIP(text) !== 0) return { addresses: single(text), port: undefined };
  // The URL parser canonicalises the name, brackets and letter case the way it will for image URLs.
  const url = URL.canParse(`http://${text}`) ? new URL(`http://${text}`) : undefined;
  if (url === undefined || `${url.pathname}${url.search}${url.hash}${url.username}` !== '/') throw invalidEntry(text);
  if (url.hostname.includes('*')) throw invalidEntry(text, ' Names are compared as a whole.');
  const named = /:(\d+)$/.exec(text);
  const port = named === null ? undefined : Number(named[1]);
  const hostname = withoutBrackets(url.hostname).replace(/\.$/, '');
  return isIP(hostname) === 0 ? { hostname, port } : { addresses: single(hostname), port };
}

function single(address: string): BlockList {
  const list = new BlockList();
  list.addAddress(address, isIP(address) === 4 ? 'ipv4' : 'ipv6');
  return list;
}

function invalidEntry(text: string, more = ''): Error {
  return failure('invalid_config', `fetch.allow: ${text} is not a host, host:port, address or CIDR range.${more}`);
}
