import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { searchPath } from '../../scripts/peers.mjs';
import type { Scope } from './scope.js';

/** As Debian installs it; nothing is downloaded. */
const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';

export interface PageOptions {
  readonly theme?: 'light' | 'dark';
  readonly width?: number;
  readonly height?: number;
}

/** What a page must never do, as it was seen to do it. */
export interface Misdeeds {
  /** Errors on the console and uncaught ones, refusals by the content security policy among them. */
  readonly errors: string[];
  /** Requests to anywhere but the aggregator. */
  readonly strangers: string[];
}

export interface WatchedPage {
  readonly page: Page;
  readonly misdeeds: Misdeeds;
}

/** Debian's Chromium without a window. Closed with the scope. */
export async function openBrowser(scope: Scope): Promise<Browser> {
  const browser = await chromium.launch({
    executablePath,
    env: { ...process.env, PATH: searchPath },
    args: [
      // Root, as in containers, may have no sandbox; and /dev/shm is small there.
      '--no-sandbox',
      '--disable-dev-shm-usage',
      '--autoplay-policy=no-user-gesture-required',
      // Two cores and no display: what is not looked at must not be slowed down.
      '--disable-renderer-backgrounding',
      '--disable-background-timer-throttling',
    ],
  });
  scope.defer(() => browser.close());
  return browser;
}

/** A fresh profile with one page, watched. `expected` says which errors are no misdeed. */
export async function openPage(
  browser: Browser,
  scope: Scope,
  url: string,
  options: PageOptions & { expected?: RegExp } = {},
): Promise<WatchedPage> {
  const { theme = 'light', width = 1360, height = 860, expected } = options;
  const context: BrowserContext = await browser.newContext({
    viewport: { width, height },
    colorScheme: theme,
    reducedMotion: 'reduce',
  });
  scope.defer(() => context.close());
  context.setDefaultTimeout(20_000);
  const page = await context.newPage();
  const misdeeds: Misdeeds = { errors: [], strangers: [] };
  const note = (text: string) => {
    if (expected === undefined || !expected.test(text)) misdeeds.errors.push(text);
  };
  page.on('console', (message) => {
    if (message.type() === 'error') note(`${message.text()} (${message.location().url})`);
  });
  page.on('pageerror', (error) => note(error.stack ?? String(error)));
  page.on('request', (request) => {
    const target = request.url();
    if (!target.startsWith(url) && !/^(?:data|blob):/.test(target)) misdeeds.strangers.push(target);
  });
  scope.attachLog('page', () => [...misdeeds.errors, ...misdeeds.strangers].join('\n'));
  await page.goto(`${url}/`);
  return { page, misdeeds };
}
