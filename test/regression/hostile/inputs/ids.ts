import { type InputKind, post, request } from '../input.ts';

/** Names that mean something to a file system, a URL, a JavaScript object, a database or a terminal. */
export const NASTY_NAMES: readonly string[] = [
  ...['__proto__', 'constructor', 'prototype', 'hasOwnProperty', 'toString', 'valueOf', '__defineGetter__', 'length'],
  ...[
    '../../../etc/passwd',
    '..',
    '.',
    './x',
    '/etc/passwd',
    '..\\..\\windows',
    'a/../../b',
    'snapshots/../x',
    '~root',
  ],
  ...[
    'a\0b',
    '\0',
    '\u0001\u001b[2J',
    'a\r\nset-cookie: x=1',
    '\n',
    '\t',
    '\u007f',
    '\u202egnp.exe',
    '\ufeff',
    '\u2028',
  ],
  ...[
    '\ud800',
    '\udfff\ud800',
    '\u0301',
    'é',
    'e\u0301',
    '猫',
    '👩‍👩‍👧‍👦',
    'ﷺ',
    '\u{10ffff}',
    '%00',
    '%2e%2e%2f',
    '%',
    '%zz',
  ],
  ...["' OR 1=1 --", '"; rm -rf /', '$(id)', '{{7*7}}', '<script>alert(1)</script>', 'jndi:ldap://x', '%s%n', '|ls'],
  ...[
    'null',
    'undefined',
    'NaN',
    '-1',
    '0',
    '1e999',
    'true',
    '[object Object]',
    'CON',
    'covers',
    '*',
    '?',
    '#',
    ' ',
    '',
  ],
  ...[
    'x'.repeat(255),
    'x'.repeat(256),
    'x'.repeat(257),
    '猫'.repeat(85),
    '猫'.repeat(86),
    '👍'.repeat(64),
    'x'.repeat(5000),
  ],
];

const PATHS: readonly string[] = [
  ...[
    '/covers/../index',
    '/covers/..%2f..%2fetc%2fpasswd',
    '/covers/%2e%2e/%2e%2e',
    '/covers//',
    '/covers/%',
    '/covers/%zz',
  ],
  ...[
    '/covers/%c0%ae%c0%ae',
    '/covers/%ff',
    '/covers/%00',
    '/covers/a%00b',
    '/covers/a/b/c',
    '/covers/a%2fimage',
    '//covers/a',
  ],
  ...[
    '/docs/../package.json',
    '/docs/static/..%2f..%2fpackage.json',
    '/docs/static/%2e%2e/%2e%2e/package.json',
    '/docs/json',
  ],
  ...[
    '/tasks/../covers/a',
    '/tasks/%00',
    '/.git/config',
    '/.env',
    '/index/data',
    '/?',
    '/;',
    '/rank/',
    '/RANK',
    '/%72ank',
  ],
];

const ROUTES: readonly { readonly method: string; readonly path: (id: string) => string }[] = [
  { method: 'GET', path: (id) => `/covers/${id}` },
  { method: 'GET', path: (id) => `/covers/${id}/image` },
  { method: 'DELETE', path: (id) => `/covers/${id}` },
  { method: 'GET', path: (id) => `/tasks/${id}` },
  { method: 'HEAD', path: (id) => `/covers/${id}` },
];

function escaped(id: string): string {
  return Buffer.from(id).reduce((text, byte) => `${text}%${byte.toString(16).padStart(2, '0')}`, '');
}

/** Ids in paths, as candidates and as items, and paths that try to leave theirs. */
export const ids: InputKind = (dice) => {
  const id = dice.pick(NASTY_NAMES);
  const shown = JSON.stringify(id.slice(0, 30));
  switch (dice.below(5)) {
    case 0: {
      const path = dice.pick(PATHS);
      return request({ name: `path ${path}`, method: dice.pick(['GET', 'DELETE', 'POST']), path });
    }
    case 1: {
      const { method, path } = dice.pick(ROUTES);
      return request({ name: `${method} of id ${shown}`, method, path: path(escaped(id)) });
    }
    case 2:
      return post(`candidate ${shown}`, '/rank', { query: '猫', candidates: [id, id, dice.pick(NASTY_NAMES)] });
    case 3: {
      const item = dice.chance(0.5) ? { id, embedding: new Array(64).fill(0.1) } : { id, delete: true };
      return post(`item ${shown}`, '/index', { items: [item] });
    }
    default:
      return post(`attribute ${shown}`, '/index', {
        items: [
          { id: 'attributes', delete: true },
          { id: `a-${dice.below(9)}`, embedding: [1], attributes: { [id]: id } },
        ],
      });
  }
};
