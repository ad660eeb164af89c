import { type InputKind, JSON_TYPE, NDJSON_TYPE, request } from '../input.ts';

const RANK = '{"query":"x","rerank_k":0}';
const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nhost: service\r\n\r\n';

/** Whole requests, written by hand. `expected`: what must come back where only one answer is safe. */
const RAW: readonly { readonly name: string; readonly text: string; readonly expected?: readonly number[] }[] = [
  {
    name: 'length and chunks',
    text: `POST /rank HTTP/1.1\r\nhost: x\r\n${JSON_TYPE}\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n${SMUGGLED}`,
    expected: [400],
  },
  {
    name: 'two lengths',
    text: `POST /rank HTTP/1.1\r\nhost: x\r\n${JSON_TYPE}\r\ncontent-length: 2\r\ncontent-length: ${RANK.length}\r\n\r\n${RANK}`,
    expected: [400],
  },
  {
    name: 'lengths in a list',
    text: `POST /rank HTTP/1.1\r\nhost: x\r\n${JSON_TYPE}\r\ncontent-length: 2, 2\r\n\r\n{}`,
    expected: [400],
  },
  {
    name: 'a length with a sign',
    text: `POST /rank HTTP/1.1\r\nhost: x\r\n${JSON_TYPE}\r\ncontent-length: +2\r\n\r\n{}`,
    expected: [400],
  },
  {
    name: 'chunks twice',
    text: `POST /rank HTTP/1.1\r\nhost: x\r\n${JSON_TYPE}\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n${SMUGGLED}`,
  },
  {
    name: 'a coding that is not known',
    text: `POST /rank HTTP/1.1\r\nhost: x\r\n${JSON_TYPE}\r\ntransfer-encoding: chunked, cow\r\n\r\n0\r\n\r\n`,
  },
  {
    name: 'a space before the colon',
    text: `POST /rank HTTP/1.1\r\nhost: x\r\ncontent-length : 2\r\n\r\n{}`,
    expected: [400],
  },
  { name: 'a folded header', text: `GET /livez HTTP/1.1\r\nhost: x\r\nx-a: 1\r\n 2\r\n\r\n` },
  { name: 'line feeds alone', text: `GET /livez HTTP/1.1\nhost: x\n\n` },
  {
    name: 'a chunk size out of bounds',
    text: `POST /rank HTTP/1.1\r\nhost: x\r\n${JSON_TYPE}\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffff1\r\n{}`,
    expected: [400],
  },
  {
    name: 'a chunk that is longer than it says',
    text: `POST /rank HTTP/1.1\r\nhost: x\r\n${JSON_TYPE}\r\ntransfer-encoding: chunked\r\n\r\n1\r\n{}{}\r\n0\r\n\r\n`,
    expected: [400],
  },
  {
    name: 'chunk extensions without end',
    text: `POST /rank HTTP/1.1\r\nhost: x\r\n${JSON_TYPE}\r\ntransfer-encoding: chunked\r\n\r\n2;${'x'.repeat(30_000)}\r\n{}\r\n0\r\n\r\n`,
  },
  { name: 'no host', text: `GET /livez HTTP/1.1\r\n\r\n`, expected: [400] },
  { name: 'two hosts', text: `GET /livez HTTP/1.1\r\nhost: a\r\nhost: b\r\nconnection: close\r\n\r\n` },
  { name: 'a NUL in a header', text: `GET /livez HTTP/1.1\r\nhost: x\r\nx-a: \0\r\n\r\n`, expected: [400] },
  { name: 'a method that is none', text: `BREW /rank HTTP/1.1\r\nhost: x\r\n\r\n`, expected: [400] },
  { name: 'the preface of HTTP/2', text: `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n` },
  { name: 'HTTP/0.9', text: `GET /livez\r\n\r\n` },
  { name: 'HTTP/9.9', text: `GET /livez HTTP/9.9\r\nhost: x\r\n\r\n`, expected: [400] },
  {
    name: 'an absolute address',
    text: `GET http://169.254.169.254/latest HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`,
  },
  { name: 'OPTIONS *', text: `OPTIONS * HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n` },
  { name: 'CONNECT', text: `CONNECT 127.0.0.1:22 HTTP/1.1\r\nhost: x\r\n\r\n` },
  {
    name: 'an upgrade',
    text: `GET /livez HTTP/1.1\r\nhost: x\r\nconnection: upgrade, close\r\nupgrade: websocket\r\n\r\n`,
  },
  { name: 'an address of 20,000 characters', text: `GET /${'a'.repeat(20_000)} HTTP/1.1\r\nhost: x\r\n\r\n` },
  { name: 'a TLS greeting', text: '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03' },
  { name: 'nothing at all', text: '\r\n\r\n\r\n\r\n' },
];

const VALUES: readonly string[] = [
  ...[
    '',
    ' ',
    '*/*',
    'x'.repeat(4000),
    '\x80\xff',
    'null',
    '__proto__',
    '../..',
    '-1',
    '1e9',
    'a, b; c=d',
    '"',
    '%00',
    '"\\"',
  ],
  ...[
    'application/json',
    'text/html;q=0',
    'gzip, br',
    'Bearer',
    'Bearer \x80',
    `Bearer ${'x'.repeat(5000)}`,
    'Basic Og==',
  ],
  ...[
    '00-00000000000000000000000000000000-0000000000000000-00',
    'ff-1-2-3',
    '100-continue',
    'bytes=0-,0-,0-',
    '::1',
    '127.0.0.1',
  ],
];

const NAMES: readonly string[] = [
  ...[
    'accept',
    'accept-encoding',
    'authorization',
    'content-encoding',
    'content-type',
    'cookie',
    'expect',
    'forwarded',
  ],
  ...[
    'if-none-match',
    'origin',
    'range',
    'referer',
    'sec-fetch-site',
    'traceparent',
    'x-forwarded-for',
    'x-forwarded-host',
  ],
  ...[
    'x-http-method-override',
    'x-request-id',
    '__proto__',
    'constructor',
    'user-agent',
    'te',
    'via',
    'accept-version',
  ],
];

/** Headers that are strange, many, huge or twice there, and requests that two parsers would cut apart differently. */
export const headers: InputKind = (dice) => {
  if (dice.chance(0.4)) {
    const { name, text, expected } = dice.pick(RAW);
    const bytes = Buffer.from(text, 'latin1');
    return { name, method: '', path: '', bytes, ...(expected === undefined ? {} : { expected }) };
  }
  const count = dice.chance(0.05) ? 3000 : 1 + dice.below(8);
  const lines = Array.from({ length: count }, () => `${dice.pick(NAMES)}: ${dice.pick(VALUES)}`);
  const ranks = dice.chance(0.5);
  const type = dice.chance(0.8)
    ? JSON_TYPE
    : dice.pick([NDJSON_TYPE, 'content-type: text/xml', 'content-type: ;', 'x-a: b']);
  return ranks
    ? request({ name: 'headers', method: 'POST', path: '/rank', headers: [type, ...lines], body: Buffer.from(RANK) })
    : request({
        name: 'headers',
        method: 'GET',
        path: dice.pick(['/readyz', '/index', '/covers/a', '/metrics']),
        headers: lines,
      });
};
