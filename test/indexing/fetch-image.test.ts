import assert from 'node:assert/strict';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { type ErrorCode, isFailure } from '../../src/core/errors.ts';
import { createImageFetcher, type ImageFetcherOptions } from '../../src/indexing/fetch-image.ts';

const PICTURE = Buffer.from('a picture, as far as fetching is concerned');
const SECRET = 'upstream-secret';
const never = new AbortController().signal;

async function serve(t: TestContext, listener: RequestListener): Promise<{ url: string; host: string; port: number }> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, host: `127.0.0.1:${port}`, port };
}

function fetcherFor(t: TestContext, allow: readonly string[], options: Partial<ImageFetcherOptions> = {}) {
  const fetcher = createImageFetcher({ allow, concurrency: 16, perHost: 4, maxBytes: 1000, ...options });
  t.after(() => fetcher.close());
  return fetcher;
}

async function fails(work: Promise<unknown>, code: ErrorCode): Promise<void> {
  await assert.rejects(work, (error: unknown) => {
    assert.ok(isFailure(error), `not a failure: ${error}`);
    assert.equal(error.code, code, error.detail);
    assert.doesNotMatch(error.detail, new RegExp(`${SECRET}|\\d+\\.\\d+\\.\\d+|localhost|[45]\\d\\d`));
    return true;
  });
}

const picture: RequestListener = (_request, response) => {
  response.writeHead(200, { 'content-type': 'image/webp' }).end(PICTURE);
};

test('an allowed host gives its bytes', async (t) => {
  const { url, host } = await serve(t, picture);
  const bytes = await fetcherFor(t, [host]).fetch(`${url}/a.webp?x=1`, never);
  assert.deepEqual(Buffer.from(bytes), PICTURE);
});

test('names and ranges can be allowed as well', async (t) => {
  const { port } = await serve(t, picture);
  for (const allow of ['localhost', `localhost:${port}`, '127.0.0.0/8', '127.0.0.1']) {
    // The resolver may know localhost as ::1 too; a range that does not hold all of its addresses refuses the name.
    const url = allow.startsWith('1') ? `http://127.0.0.1:${port}/` : `http://localhost:${port}/`;
    assert.deepEqual(Buffer.from(await fetcherFor(t, [allow]).fetch(url, never)), PICTURE, allow);
  }
});

test('without the allow-list this machine is out of reach in every spelling', async (t) => {
  let requests = 0;
  const { port } = await serve(t, (_request, response) => {
    requests++;
    response.end(PICTURE);
  });
  const fetcher = fetcherFor(t, []);
  const hosts = [
    ...['127.0.0.1', '127.1', '0x7f.1', '2130706433', '0177.0.0.1', '１２７.0.0.1', '127.0.0.1.', '0.0.0.0'],
    ...['[::1]', '[::]', '[::ffff:127.0.0.1]', '[::7f00:1]', '[64:ff9b::7f00:1]', 'localhost', 'LOCALHOST'],
  ];
  for (const host of hosts) {
    await fails(fetcher.fetch(`http://${host}:${port}/`, never), 'fetch_forbidden');
    await fails(fetcher.fetch(`http://${host}/`, never), 'fetch_forbidden');
  }
  assert.equal(requests, 0);
});

test('an allowed port does not open its neighbours', async (t) => {
  const { url } = await serve(t, picture);
  await fails(fetcherFor(t, ['127.0.0.1:1']).fetch(url, never), 'fetch_forbidden');
});

test('schemes, credentials and nonsense are refused', async (t) => {
  const { host } = await serve(t, picture);
  const fetcher = fetcherFor(t, [host]);
  for (const url of ['file:///etc/passwd', 'ftp://x.example/', `http://u:p@${host}/`, 'no url', 'http://']) {
    await fails(fetcher.fetch(url, never), 'fetch_forbidden');
  }
});

test('redirects are followed three times', async (t) => {
  const { url, host } = await serve(t, (request, response) => {
    const left = Number(request.url?.slice(1));
    if (left === 0) picture(request, response);
    else response.writeHead(302, { location: `/${left - 1}` }).end('moved');
  });
  const fetcher = fetcherFor(t, [host]);
  assert.deepEqual(Buffer.from(await fetcher.fetch(`${url}/3`, never)), PICTURE);
  await fails(fetcher.fetch(`${url}/4`, never), 'fetch_failed');
});

test('a redirect passes the same gates', async (t) => {
  let reached = 0;
  const inner = await serve(t, (_request, response) => {
    reached++;
    response.end(PICTURE);
  });
  let location: string | undefined;
  const outer = await serve(t, (_request, response) => {
    response.writeHead(302, location === undefined ? {} : { location }).end();
  });
  const fetcher = fetcherFor(t, [outer.host]);
  for (const target of [
    inner.url,
    `//${inner.host}/`,
    'http://169.254.169.254/',
    'http://[::1]/',
    'file:///etc/passwd',
  ]) {
    location = target;
    await fails(fetcher.fetch(outer.url, never), 'fetch_forbidden');
  }
  location = undefined;
  await fails(fetcher.fetch(outer.url, never), 'fetch_failed');
  assert.equal(reached, 0);
});

test('a body above the limit is refused with and without a content-length', async (t) => {
  const { url, host } = await serve(t, (request, response) => {
    response.setHeader('content-type', 'image/png');
    const size = Number(request.url?.split('/')[2]);
    if (request.url?.startsWith('/told')) response.setHeader('content-length', size);
    response.write(Buffer.alloc(size - 1));
    response.end(Buffer.alloc(1));
  });
  const fetcher = fetcherFor(t, [host]);
  for (const way of ['told', 'chunked']) {
    assert.equal((await fetcher.fetch(`${url}/${way}/1000`, never)).length, 1000);
    await fails(fetcher.fetch(`${url}/${way}/1001`, never), 'too_large');
    await fails(fetcher.fetch(`${url}/${way}/500000`, never), 'too_large');
  }
});

test('answers that are not a picture fail without telling what they were', async (t) => {
  const { url, host } = await serve(t, (request, response) => {
    const [, status, type, encoding] = (request.url ?? '').split('/').map(decodeURIComponent);
    if (type) response.setHeader('content-type', type);
    if (encoding) response.setHeader('content-encoding', encoding);
    response.writeHead(Number(status), SECRET).end(SECRET);
  });
  const fetcher = fetcherFor(t, [host]);
  const get = (status: number, type = '', encoding = '') =>
    fetcher.fetch(`${url}/${status}/${encodeURIComponent(type)}/${encoding}`, never);
  await fails(get(404), 'fetch_refused');
  await fails(get(429), 'fetch_failed');
  await fails(get(500, 'image/png'), 'fetch_failed');
  await fails(get(206, 'image/png'), 'fetch_failed');
  await fails(get(200, 'text/html; charset=utf-8'), 'unsupported_image');
  await fails(get(200, 'image/png', 'gzip'), 'fetch_failed');
  for (const type of ['image/png', 'IMAGE/JPEG; q=1', 'application/octet-stream', 'binary/octet-stream', '']) {
    assert.equal(Buffer.from(await get(200, type)).toString(), SECRET);
  }
});

test('no body, a broken body and a closed port fail', async (t) => {
  const { url, host } = await serve(t, (request, response) => {
    if (request.url === '/empty') response.end();
    else {
      response.writeHead(200, { 'content-length': 100 });
      response.write('half', () => response.destroy());
    }
  });
  const fetcher = fetcherFor(t, [host, '127.0.0.1:1']);
  await fails(fetcher.fetch(`${url}/empty`, never), 'fetch_failed');
  await fails(fetcher.fetch(`${url}/half`, never), 'fetch_failed');
  await fails(fetcher.fetch('http://127.0.0.1:1/', never), 'fetch_failed');
});

test('slow answers are given up', async (t) => {
  const { url, host } = await serve(t, (request, response) => {
    if (request.url === '/headers') return;
    const drip = setInterval(() => response.write('.'), 10);
    response.on('close', () => clearInterval(drip));
  });
  const fetcher = fetcherFor(t, [host], { timeouts: { totalMs: 100 } });
  await fails(fetcher.fetch(`${url}/headers`, never), 'fetch_failed');
  await fails(fetcher.fetch(`${url}/drip`, never), 'fetch_failed');
});

test('the caller can leave', async (t) => {
  const { url, host } = await serve(t, () => {});
  const fetcher = fetcherFor(t, [host]);
  const caller = new AbortController();
  const fetching = fetcher.fetch(url, caller.signal);
  setTimeout(() => caller.abort(), 20);
  await fails(fetching, 'cancelled');
  await fails(fetcher.fetch(url, AbortSignal.abort()), 'cancelled');
});

test('one host is asked for no more than its share at once', async (t) => {
  let now = 0;
  let most = 0;
  const { url, host } = await serve(t, (_request, response) => {
    most = Math.max(most, ++now);
    setTimeout(() => {
      now--;
      response.end(PICTURE);
    }, 5);
  });
  const fetcher = fetcherFor(t, [host], { perHost: 3 });
  await Promise.all(Array.from({ length: 20 }, (_, index) => fetcher.fetch(`${url}/${index}`, never)));
  assert.equal(most, 3);
});

test('a name is refused when one of its addresses is not public, in every form', async (t) => {
  const { port } = await serve(t, picture);
  const special = [
    ...['127.0.0.1', '10.0.0.1', '169.254.169.254', '100.64.0.1', '0.0.0.0', '255.255.255.255'],
    ...[
      '::1',
      '::',
      '::ffff:127.0.0.1',
      '::ffff:7f00:1',
      '::7f00:1',
      '64:ff9b::7f00:1',
      '2002:7f00:1::',
      'fd00::1',
      'fe80::1',
    ],
  ];
  const answers = [
    ...special.map((address) => [address]),
    ...special.map((address) => ['93.184.215.14', address]),
    ['not an address'],
  ];
  for (const addresses of answers) {
    const resolve: ImageFetcherOptions['resolve'] = (_hostname, _options, callback) =>
      callback(
        null,
        addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
      );
    const fetcher = fetcherFor(t, [], { resolve });
    await fails(fetcher.fetch('http://images.example/a.png', never), 'fetch_forbidden');
    await fails(fetcher.fetch(`http://images.example:${port}/a.png`, never), 'fetch_forbidden');
  }
  const silent = fetcherFor(t, [], { resolve: (_hostname, _options, callback) => callback(null, []) });
  await fails(silent.fetch('http://images.example/', never), 'fetch_failed');
});

test('the address that was checked is the one that is connected to', async (t) => {
  const { port } = await serve(t, picture);
  let asked = 0;
  const resolve: ImageFetcherOptions['resolve'] = (_hostname, _options, callback) => {
    asked++;
    // A name that points elsewhere the second time it is asked for.
    callback(null, [{ address: asked === 1 ? '127.0.0.1' : '10.0.0.1', family: 4 }]);
  };
  const fetcher = fetcherFor(t, ['127.0.0.0/8'], { resolve });
  assert.deepEqual(Buffer.from(await fetcher.fetch(`http://rebinding.example:${port}/`, never)), PICTURE);
  assert.equal(asked, 1);
});

test('a server that lies, loops or never ends is given up', async (t) => {
  const { url, host } = await serve(t, (request, response) => {
    response.on('error', () => {});
    switch (request.url) {
      case '/loop':
        response.writeHead(302, { location: '/loop' }).end();
        return;
      case '/endless':
        response.writeHead(200, { 'content-type': 'image/png' });
        (function more() {
          while (!response.destroyed && response.write(Buffer.alloc(65_536)));
          if (!response.destroyed) response.once('drain', more);
        })();
        return;
      case '/endless-redirect':
        response.writeHead(302, { location: '/fine' });
        response.write('x'.repeat(100_000));
        return;
      case '/longer':
        // More bytes than announced: what follows belongs to no answer.
        response.socket?.end('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfour and more');
        return;
      case '/negative':
        response.socket?.end('HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\nbody');
        return;
      case '/headers':
        response.socket?.end(`HTTP/1.1 200 OK\r\nx-long: ${'x'.repeat(100_000)}\r\n\r\n`);
        return;
      case '/garbage':
        response.socket?.end('this is no HTTP at all\r\n\r\n');
        return;
      case '/gzip':
        response.writeHead(200, { 'content-encoding': 'gzip' }).end(Buffer.alloc(10));
        return;
      default:
        picture(request, response);
    }
  });
  const fetcher = fetcherFor(t, [host], { timeouts: { totalMs: 2000 } });
  const codes: Record<string, ErrorCode> = {
    '/loop': 'fetch_failed',
    '/endless': 'too_large',
    '/negative': 'fetch_failed',
    '/headers': 'fetch_failed',
    '/garbage': 'fetch_failed',
    '/gzip': 'fetch_failed',
  };
  for (const [path, code] of Object.entries(codes)) await fails(fetcher.fetch(`${url}${path}`, never), code);
  // The body of a redirect is of no interest, however long.
  assert.deepEqual(Buffer.from(await fetcher.fetch(`${url}/endless-redirect`, never)), PICTURE);
  // What is cut to its announced length is no picture, which decoding finds out; it must not poison the next answer.
  await fetcher.fetch(`${url}/longer`, never).catch((error) => assert.ok(isFailure(error, 'fetch_failed')));
  assert.deepEqual(Buffer.from(await fetcher.fetch(`${url}/fine`, never)), PICTURE);
});

test('an address that was refused is not asked again for a while, its neighbours are', async (t) => {
  let requests = 0;
  const { url, host } = await serve(t, (request, response) => {
    requests++;
    if (request.url === '/gone') response.writeHead(404).end();
    else picture(request, response);
  });
  const fetcher = fetcherFor(t, [host], { skipMs: 60_000 });
  await fails(fetcher.fetch(`${url}/gone`, never), 'fetch_refused');
  await fails(fetcher.fetch(`${url}/gone`, never), 'fetch_skipped');
  assert.deepEqual(Buffer.from(await fetcher.fetch(`${url}/there`, never)), PICTURE);
  assert.equal(requests, 2);
});

test('a host that fails again and again is left alone, as is one that asks for it', async (t) => {
  let requests = 0;
  const failing = await serve(t, (request, response) => {
    requests++;
    response
      .writeHead(request.url === '/wait' ? 503 : 500, request.url === '/wait' ? { 'retry-after': '120' } : {})
      .end();
  });
  const fetcher = fetcherFor(t, [failing.host], { skipMs: 60_000 });
  for (let number = 0; number < 3; number++)
    await fails(fetcher.fetch(`${failing.url}/${number}`, never), 'fetch_failed');
  for (let number = 3; number < 6; number++)
    await fails(fetcher.fetch(`${failing.url}/${number}`, never), 'fetch_skipped');
  assert.equal(requests, 3);

  const patient = fetcherFor(t, [failing.host], { skipMs: 60_000 });
  await fails(patient.fetch(`${failing.url}/wait`, never), 'fetch_failed');
  await fails(patient.fetch(`${failing.url}/0`, never), 'fetch_skipped');
  assert.equal(requests, 4);
});
