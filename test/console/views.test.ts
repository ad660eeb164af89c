import assert from 'node:assert/strict';
import { after, before, type TestContext, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { generateKey, hashKey } from '../../src/core/api-key.ts';
import { type ConsoleService, openBrowser, openConsoleService, samplePicture, whyNoBrowser } from './browser.ts';

const skip = whyNoBrowser() ?? false;
const PATIENCE_MS = 20_000;
const rankKey = generateKey();
const allKey = generateKey();

let browser: Browser;
/** In front of the other one, which it knows as `second`. */
let service: ConsoleService;
let locked: ConsoleService;

before(async () => {
  if (skip) return;
  browser = await openBrowser();
  const api_keys = [
    { name: 'reader', hash: hashKey(rankKey), scopes: ['rank' as const] },
    { name: 'all', hash: hashKey(allKey), scopes: ['admin' as const] },
  ];
  locked = await openConsoleService(12, { api_keys });
  service = await openConsoleService(40, { peers: [{ name: 'second', url: locked.url, key: rankKey }] });
});
after(async () => {
  if (skip) return;
  await browser.close();
  await service.close();
  await locked.close();
});

/** A page of its own; whatever it logs as an error, and every address it asks that is not the service's, fails the test. */
async function open(t: TestContext, hash: string, { url } = service, expectedErrors = /$^/): Promise<Page> {
  const context = await browser.newContext({ locale: 'en-US', viewport: { width: 1200, height: 900 } });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  const wrong: string[] = [];
  page.on('pageerror', (error) => wrong.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error' && !expectedErrors.test(message.text())) wrong.push(message.text());
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(url) && !request.url().startsWith('blob:')) wrong.push(request.url());
  });
  t.after(async () => {
    await context.close();
    assert.deepEqual(wrong, []);
  });
  await page.goto(`${url}/#/${hash}`);
  return page;
}

/** The browser logs answers with an error status by itself. */
const REFUSALS = /Failed to load resource/;

const query = (page: Page) => page.getByRole('searchbox', { name: 'Query' });
const hits = (page: Page) => page.locator('.hit');
const call = async (path: string) => (await fetch(`${service.url}${path}`)).json() as Promise<Record<string, unknown>>;

test('covers appear as a query is typed, each with what put it in its place', { skip }, async (t) => {
  const page = await open(t, 'search');
  await query(page).pressSequentially('熊猫 panda', { delay: 20 });
  await hits(page).first().waitFor();
  assert.equal(await hits(page).count(), 24);
  await page.getByRole('heading', { name: 'Why it stands here' }).waitFor();
  assert.ok((await page.locator('.signal-table tbody tr').count()) >= 2);
  await page.getByRole('heading', { name: 'Where the time went' }).waitFor();
  // Answers to what was typed so far may come first.
  await page.locator('.code', { hasText: '熊猫 panda' }).waitFor();
  assert.ok((await page.locator('.code').innerText()).includes(`${service.url}/rank`));
  await hits(page).first().focus();
  await page.keyboard.press('ArrowRight');
  assert.equal(await page.locator('.hit[aria-pressed="true"] .hit-rank').innerText(), 'Rank 2\n2');
  assert.ok(decodeURIComponent(page.url()).endsWith('q=熊猫+panda'), 'the address can be shared');
  await page.locator('.hit img').first().waitFor();
});

test('the last answer stays until the next, and what it lost is said plainly', { skip }, async (t) => {
  const page = await open(t, 'search?q=moose');
  await hits(page).first().waitFor();
  let release = (): void => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  await page.route('**/rank', async (route) => {
    await released;
    const response = await route.fetch();
    const degraded = [{ stage: 'rerank', reason: 'deadline_exceeded', reranked: 8, wanted: 40 }];
    await route.fulfill({ response, json: { ...((await response.json()) as object), degraded } });
  });
  await query(page).fill('cake');
  await page.locator('.is-stale').waitFor();
  assert.equal(await hits(page).count(), 24);
  release();
  await page.getByText('8 of 40 covers were reranked: the deadline came first.').waitFor();
});

test('a query that is too long, a busy service and one that is gone: each says what to do', { skip }, async (t) => {
  const page = await open(t, 'search', service, /Failed to load|ERR_INTERNET/);
  await query(page).fill('长'.repeat(1001));
  await page.getByText('The query has more than 1000 characters.').waitFor();
  await page.route('**/rank', (route) =>
    route.fulfill({
      status: 429,
      headers: { 'retry-after': '7' },
      contentType: 'application/problem+json',
      json: { code: 'overloaded', detail: 'Too many requests are waiting.', request_id: 'r-1' },
    }),
  );
  await query(page).fill('cake');
  await page.getByText('Try again in 7 s.').waitFor();
  await page.unroute('**/rank');
  await page.context().setOffline(true);
  await query(page).fill('moose');
  await page.getByText('The service cannot be reached.').waitFor();
  await page.context().setOffline(false);
  await page.getByRole('button', { name: 'Try again' }).click();
  await hits(page).first().waitFor();
});

test('where keys are needed the page says so, tells a wrong one, and works with a right one', { skip }, async (t) => {
  const page = await open(t, 'search', locked, REFUSALS);
  await query(page).fill('moose');
  await page.getByText('This service asks for a key.').waitFor();
  const give = async (key: string): Promise<void> => {
    await page.getByRole('button', { name: 'Key', exact: false }).first().click();
    await page.getByLabel('Key', { exact: true }).fill(key);
    await page.getByRole('button', { name: 'Use this key' }).click();
  };
  await give('crk_密钥');
  await page.getByText('No request can carry this key').waitFor();
  await page.getByRole('button', { name: 'Close' }).click();
  await give('crk_wrong');
  await page.getByText('The service does not know this key.').waitFor();
  await give(rankKey);
  await page.locator('.hit img').first().waitFor();
  assert.ok(!(await page.locator('.code').innerText()).includes(rankKey));
  await page.getByRole('link', { name: 'Index', exact: true }).click();
  await page.getByText('need a key with the scope admin').waitFor();
  await page.getByLabel('Drop pictures here').setInputFiles(await samplePicture('mine.webp'));
  await page.getByText('This key may not do that').first().waitFor();
  await page.reload();
  await page.getByText('need a key with the scope admin').waitFor();
  await give(allKey);
  await page.getByText('0 running, 0 waiting').first().waitFor();
});

test('two settings stand side by side, with what moved and how much they agree', { skip }, async (t) => {
  const page = await open(t, 'compare?q=moose');
  await page.getByText('Both give the same order.').waitFor();
  const b = page.locator('.side-B');
  await b.getByLabel('Weights of my own').check();
  const weight = b.getByLabel('cosine');
  await weight.selectText();
  await weight.pressSequentially('0.5');
  assert.equal(await weight.inputValue(), '0.5');
  await weight.fill('-1');
  await page.locator('.link-up, .link-down, .moved-row.is-alone').first().waitFor();
  const figure = page.locator('.figures').first();
  await figure.locator('dd').first().filter({ hasNotText: '1.000' }).waitFor();
  assert.match(await figure.innerText(), /Rank-biased overlap/);
  await page.getByRole('textbox', { name: 'Queries' }).fill('moose\ncake\n猫');
  await page.getByRole('button', { name: 'Compare queries (3)' }).click();
  await page.getByText('3 of 3 queries').waitFor();
  assert.equal(await page.locator('.table tbody tr').count(), 3);
  await page.route('**/rank', async (route) => {
    const response = await route.fetch();
    const degraded = [{ stage: 'rerank', reason: 'deadline_exceeded', reranked: 2, wanted: 40 }];
    const isShort = (route.request().postDataJSON() as { deadline_ms: number }).deadline_ms === 700;
    await route.fulfill({ response, json: { ...((await response.json()) as object), ...(isShort && { degraded }) } });
  });
  await b.getByLabel('Deadline, ms').fill('700');
  await page.getByText('Setting B: This answer lost something').waitFor();
  await page.getByText('2 of 40 covers were reranked: the deadline came first.').waitFor();
  await page.getByRole('button', { name: 'Compare queries (3)' }).click();
  await page.getByText('Answers that lost something, of 3: A 0, B 3.').waitFor();
  assert.equal(await page.getByText('lost something: B').count(), 3);
  await page.unroute('**/rank');
  await b.getByLabel('Service').selectOption('second');
  await page.locator('.moved-column').nth(1).locator('.moved-row').first().waitFor();
  await b.getByText('second ·').waitFor();
});

test('covers are graded by keys, taken back, and kept by the service', { skip }, async (t) => {
  const page = await open(t, 'judge', service, REFUSALS);
  await page.getByRole('textbox', { name: 'Queries' }).fill('moose\ncake');
  const depth = page.getByLabel('Covers per query');
  await depth.fill('');
  assert.equal(await depth.inputValue(), '', 'nothing is put in while someone types');
  await depth.blur();
  assert.equal(await depth.inputValue(), '20');
  await depth.fill('');
  await depth.pressSequentially('3');
  let asked = 0;
  await page.route('**/covers/*/image', (route) => (asked++ === 0 ? route.continue() : undefined));
  await page.getByRole('button', { name: 'Start (2)' }).click();
  await page.locator('.desk-cover img').waitFor();
  await page.keyboard.press('ArrowRight');
  await page.getByText('Cover 2 of 3', { exact: false }).first().waitFor();
  assert.equal(
    await page.locator('.desk-cover img').count(),
    0,
    "its own picture has not come, the first cover's is gone",
  );
  await page.keyboard.press('ArrowLeft');
  for (const key of ['2', '0', '1']) await page.keyboard.press(key);
  await page.getByText('Every cover of this query has a grade.').waitFor();
  const spoken = page.locator('[aria-live] span');
  await spoken.getByText('Graded 1').waitFor();
  await spoken.evaluate((element) => element.setAttribute('id', 'spoken-before'));
  await page.keyboard.press('1');
  await page.locator('#spoken-before').waitFor({ state: 'detached' });
  assert.equal(await spoken.innerText(), 'Graded 1');
  await page.keyboard.press('u');
  await spoken.getByText('Taken back.').waitFor();
  await page.route('**/judgements', (route) => (route.request().method() === 'PUT' ? route.abort() : route.continue()));
  await page.keyboard.press('0');
  await page.getByText('Grades that did not arrive: 1').waitFor();
  assert.equal(await spoken.innerText(), 'Taken back.', 'a grade that did not arrive is not told as given');
  await page.unroute('**/judgements');
  await page.getByRole('button', { name: 'Try again' }).click();
  await page.getByText('Grades that did not arrive').waitFor({ state: 'detached' });
  await page.keyboard.press('u');
  await page.getByText('Judgements kept: 3. Queries judged: 1.').waitFor();
  await page.keyboard.press('u');
  await page.getByText('2 of 3 covers graded').waitFor();
  await page.getByText('Judgements kept: 2. Queries judged: 1.').waitFor();
  assert.equal((await call('/judgements'))['total'], 2);
  await page.keyboard.press('n');
  await page.getByText('Query 2 of 2').waitFor();

  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: 'CBVS (TSV)' }).click(),
  ]);
  assert.equal(download.suggestedFilename(), 'judgements.tsv');
  const text = 'moose\tmade-up\t2\nmoose\tmade-up-2\t9\n';
  await page.getByLabel('File of judgements').setInputFiles({
    name: 'more.tsv',
    mimeType: 'text/plain',
    buffer: Buffer.from(text),
  });
  await page.getByRole('button', { name: 'Import' }).click();
  await page.getByText('New: 1. Changed: 0.').waitFor();
  await page.getByText('has a label that is not one of the scale').waitFor();
  await page.getByText('Judgements kept: 3.').waitFor();
});

test('a cover, or a picture that is in no index, is explained against a query', { skip }, async (t) => {
  const page = await open(t, 'explain');
  await page.getByRole('button', { name: 'Explain' }).click();
  await page.getByText('Both are needed').waitFor();
  await page.getByLabel('Query').fill('moose');
  const { results } = (await (
    await fetch(`${service.url}/rank`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query: 'moose', top_n: 40, deadline_ms: 10_000 }),
    })
  ).json()) as { results: { id: string }[] };
  await page.getByLabel('Id of a cover').fill(results[6]?.id ?? '');
  await page.getByRole('button', { name: 'Explain' }).click();
  await page.getByRole('heading', { name: 'It is there: rank 7.' }).waitFor();
  await page.locator('.neighbour.is-own').waitFor();
  await page.getByText(`Query “moose”, ${results[6]?.id}`).waitFor();
  await page.getByRole('link', { name: 'Judge' }).click();
  await page.getByRole('textbox', { name: 'Queries' }).fill('#moose\n520\tcover\t2');
  await page.getByRole('link', { name: 'Why not?' }).click();
  await page.getByRole('heading', { name: 'It is there: rank 7.' }).waitFor();
  assert.equal(await page.getByLabel('Query').inputValue(), 'moose');
  await page.getByLabel('Query').fill('cake');
  await page.getByText('The entries above have changed since').waitFor();
  await page.getByRole('link', { name: 'Judge' }).click();
  await page.getByText('Queries: 2').waitFor();
  await page.getByRole('link', { name: 'Why not?' }).click();
  await page.getByLabel('Id of a cover').fill('nowhere');
  await page.getByRole('button', { name: 'Explain' }).click();
  await page.getByText('Not found').waitFor();
  await page.getByLabel('Drop a picture here').setInputFiles(await samplePicture('mine.webp'));
  await page.getByRole('button', { name: 'Explain' }).click();
  await page.getByRole('heading', { name: /^It would be rank \d+, were it in the index\.$/ }).waitFor();
  await page.getByRole('button', { name: 'Take the picture away' }).click();
  const broken = {
    name: 'broken.png',
    mimeType: 'image/png',
    buffer: Buffer.from('\x89PNG\r\n\x1a\nno more', 'latin1'),
  };
  await page.getByLabel('Drop a picture here').setInputFiles(broken);
  await page.getByRole('button', { name: 'Explain' }).click();
  await page.getByText('This picture cannot be decoded.').waitFor();
});

test('pictures and addresses are added item by item, and the index shows it', { skip }, async (t) => {
  const page = await open(t, 'covers');
  const covers = page.locator('.figures dd').first();
  await covers.waitFor();
  const before = Number(await covers.innerText());
  const broken = { name: 'broken.png', mimeType: 'image/png', buffer: Buffer.from('no picture') };
  await page.getByLabel('Drop pictures here').setInputFiles([await samplePicture('mine.webp'), broken]);
  await page.getByText('2 of 2 done, 1 failed').waitFor();
  await page.locator('.item-created').getByText('mine').waitFor();
  await page.locator('.item-failed').getByText('This kind of picture is not supported').waitFor();
  await page
    .locator('.figures dd', { hasText: new RegExp(`^${before + 1}$`) })
    .first()
    .waitFor();
  await page.getByLabel('Addresses').fill('http://127.0.0.1/cat.jpg');
  await page.getByRole('button', { name: 'Add addresses (1)' }).click();
  await page.getByText('The service may not fetch from this address').waitFor();
});
