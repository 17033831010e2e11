import { describe, expect } from 'vitest';
import { startAggregator } from '../../support/aggregator.js';
import { openBrowser, openPage } from '../../support/browser.js';
import { testWith } from '../../support/peers.js';
import { testScope } from '../../support/scope.js';
import { figure, waitFor } from '../../support/wait.js';

/** What the first page may weigh, as it comes over the wire, without the player. */
const firstLoadBytes = 200_000;

describe('the dashboard with many cameras', () => {
  const test = testWith('chromium');

  test.concurrent('1,000 cameras: few elements, smooth scrolling, a search that finds one, and the place kept', async (context) => {
    const scope = testScope(context);
    const [aggregator, browser] = await Promise.all([startAggregator(scope), openBrowser(scope)]);
    const names = Array.from({ length: 1000 }, (_, index) => `cam-${index + 1}`);
    while (names.length > 0) await Promise.all(names.splice(0, 100).map((name) => aggregator.addCamera(name)));
    const { page, misdeeds } = await openPage(browser, scope, aggregator.apiUrl);
    await page.getByRole('link', { name: /cam-1\b/ }).waitFor();
    const cards = () => page.locator('.card').count();
    expect(await cards()).toBeLessThan(60);

    // Frames are counted for the record; what is judged is the processor time of each, which other programs that run
    // on the same machine do not change.
    const devtools = await page.context().newCDPSession(page);
    await devtools.send('Performance.enable', { timeDomain: 'threadTicks' });
    const busyMs = async () => {
      const { metrics } = await devtools.send('Performance.getMetrics');
      return 1000 * (metrics.find(({ name }) => name === 'TaskDuration')?.value ?? Number.NaN);
    };
    const before = await busyMs();
    const moving = await page.evaluate(async () => {
      let frames = 0;
      const endMs = performance.now() + 3000;
      while (performance.now() < endMs) {
        scrollBy(0, 70);
        await new Promise((resolve) => requestAnimationFrame(resolve));
        frames++;
      }
      return { frames, scrolled: scrollY };
    });
    const frameMs = ((await busyMs()) - before) / moving.frames;
    figure('frames in 3 s while 1,000 cards scroll', moving.frames, 'frames');
    figure('processor time of a frame while scrolling', frameMs, 'ms');
    expect(moving.scrolled).toBeGreaterThan(1000);
    expect(frameMs).toBeGreaterThan(0);
    expect(frameMs).toBeLessThan(20);
    expect(await cards()).toBeLessThan(60);

    // By keyboard: the search, and the one that it finds.
    await page.keyboard.press('/');
    await page.keyboard.type('cam-777');
    await waitFor(async () => (await cards()) === 1, { what: 'one card' });
    await page.getByRole('link', { name: /cam-777/ }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'cam-777' }).waitFor();
    await page.goBack();
    expect(await page.getByRole('searchbox').inputValue()).toBe('cam-777');
    await page.reload();
    await waitFor(async () => (await cards()) === 1, { what: 'the search after a reload' });

    // Whoever was far down is there again.
    await page.getByRole('searchbox').fill('');
    await page.evaluate(() => scrollTo(0, 20_000));
    const seen = await waitFor(
      async () => {
        const [top] = await page.locator('.card .card-name').allTextContents();
        return top !== undefined && top !== 'cam-1' && top !== 'cam-777' && top;
      },
      { what: 'cards far down' },
    );
    await waitFor(() => page.evaluate(() => sessionStorage.getItem('media-aggregator.scroll') === '20000'), {
      what: 'the place to be remembered',
    });
    await page.reload();
    await page.getByText(seen, { exact: true }).waitFor();
    expect(misdeeds).toEqual({ errors: [], strangers: [] });
  });

  test.concurrent('the first page is small: it waits for no player, and nothing comes from elsewhere', async (context) => {
    const scope = testScope(context);
    const [aggregator, browser] = await Promise.all([startAggregator(scope), openBrowser(scope)]);
    await aggregator.addCamera('cam');
    const { page, misdeeds } = await openPage(browser, scope, aggregator.apiUrl);
    await page.getByRole('link', { name: /^cam / }).waitFor();
    const loaded = await page.evaluate(() =>
      [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')].map((entry) => {
        const { name, transferSize } = entry as PerformanceResourceTiming;
        return { name: new URL(name).pathname, transferSize };
      }),
    );
    const files = loaded.filter(({ name }) => name === '/' || name.startsWith('/assets/'));
    const bytes = files.reduce((sum, { transferSize }) => sum + transferSize, 0);
    figure('first load of the dashboard', bytes, 'bytes');
    expect(files.length).toBeGreaterThanOrEqual(3);
    expect(files.map(({ name }) => name).filter((name) => name.includes('play'))).toEqual([]);
    expect(bytes).toBeGreaterThan(10_000);
    expect(bytes).toBeLessThan(firstLoadBytes);
    expect(misdeeds).toEqual({ errors: [], strangers: [] });
  });
});
