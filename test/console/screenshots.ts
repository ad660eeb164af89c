import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import sharp from 'sharp';
import { packageRoot } from '../../src/core/package-root.ts';
import { openBrowser, openConsoleService } from './browser.ts';

/**
 * Takes the pictures of the README, `docs/images/*.png`, of the service with all sample covers:
 * `npm run screenshots`.
 */
const FOLDER = join(packageRoot, 'docs', 'images');
const ALL = 10_000;
const PATIENCE_MS = 60_000;
/** Colours of a picture: few enough for a small file, enough for covers. */
const COLOURS = 256;

interface Shot {
  readonly name: string;
  readonly hash: string;
  readonly locale: 'en-US' | 'zh-CN';
  readonly colorScheme: 'light' | 'dark';
  readonly width: number;
  readonly height: number;
  /** Brings the view to where it is worth a picture. */
  prepare(page: Page): Promise<void>;
}

const SHOTS: readonly Shot[] = [
  {
    name: 'search',
    hash: 'search?q=可爱的熊猫',
    locale: 'en-US',
    colorScheme: 'light',
    width: 1200,
    height: 760,
    prepare: (page) => page.locator('.hit img').nth(9).waitFor(),
  },
  {
    name: 'search-phone',
    hash: 'search?q=自行车',
    locale: 'zh-CN',
    colorScheme: 'dark',
    width: 390,
    height: 760,
    prepare: (page) => page.locator('.hit img').nth(5).waitFor(),
  },
  {
    name: 'compare',
    hash: 'compare?q=sunflower',
    locale: 'zh-CN',
    colorScheme: 'light',
    width: 1200,
    height: 1220,
    async prepare(page) {
      const b = page.locator('.side-B');
      await b.locator('.check input').check();
      await b.locator('.weight input').nth(1).fill('-0.1');
      await page.locator('.link-up, .moved-row.is-alone').first().waitFor();
      await page.locator('.moved-row img').nth(19).waitFor();
    },
  },
  {
    name: 'judge',
    hash: 'judge',
    locale: 'en-US',
    colorScheme: 'dark',
    width: 1200,
    height: 860,
    async prepare(page) {
      await page.locator('.query-set textarea').fill('向日葵\n可爱的熊猫\nroller coaster');
      await page.locator('main .button-primary').click();
      await page.locator('.strip img').nth(19).waitFor();
      for (const key of ['2', '2', '0', '1']) await page.keyboard.press(key);
      await page.locator('.strip-grade').nth(3).waitFor();
    },
  },
];

const service = await openConsoleService(ALL);
const browser = await openBrowser();
try {
  await mkdir(FOLDER, { recursive: true });
  for (const shot of SHOTS) await take(shot);
} finally {
  await browser.close();
  await service.close();
}

async function take({ name, hash, locale, colorScheme, width, height, prepare }: Shot): Promise<void> {
  const context = await browser.newContext({
    locale,
    colorScheme,
    reducedMotion: 'reduce',
    viewport: { width, height },
  });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  await page.goto(`${service.url}/#/${hash}`);
  await prepare(page);
  await page.evaluate('document.activeElement.blur()');
  const picture = sharp(await page.screenshot()).png({ palette: true, colours: COLOURS, effort: 10 });
  const { size } = await picture.toFile(join(FOLDER, `${name}.png`));
  process.stdout.write(`${name}.png: ${Math.round(size / 1024)} KB\n`);
  await context.close();
}
