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
