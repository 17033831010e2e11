import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { startAggregator } from '../../support/aggregator.js';
import { axeViolations } from '../../support/axe.js';
import { openBrowser, openPage } from '../../support/browser.js';
import { publish } from '../../support/ffmpeg.js';
import { testWith } from '../../support/peers.js';
import { testScope } from '../../support/scope.js';
import { waitFor } from '../../support/wait.js';

const test = testWith('chromium', 'ffmpeg');

const count = 300;
const sample = fileURLToPath(new URL('../../../samples/clip.flv', import.meta.url));

test('three hundred cameras by keyboard, a reload, a stopped aggregator, and a phone', async (context) => {
  const scope = testScope(context);
  const [aggregator, browser] = await Promise.all([startAggregator(scope), openBrowser(scope)]);
  await aggregator.apiOk('POST', '/v1/engines', {
    name: 'paris',
    host: '127.0.0.1',
    pushUrl: 'rtmp://{host}:9/live/{name}',
  });
  await aggregator.apiOk('POST', '/v1/cameras:batch', {
    changes: Array.from({ length: count }, (_, index) => ({
      operation: 'addCamera',
      camera: `cam-${index + 1}`,
      body: { pushes: [{ id: 'p', engine: 'paris' }] },
    })),
  });
  const encoder = publish(scope, sample, aggregator.url('cam-7'), { inputOptions: ['-stream_loop', '-1'] });
  await aggregator.waitForPush('cam-7', 'p', 'waiting');

  // The table, without a mouse.
  const { page, misdeeds } = await openPage(browser, scope, aggregator.apiUrl);
  await page.getByRole('radio', { name: 'Cards' }).focus();
  await page.keyboard.press('ArrowRight');
  const row = (name: string) => page.locator('.camera-table tbody tr', { has: page.getByText(name, { exact: true }) });
  await row('cam-2').waitFor();
  expect(await page.locator('.camera-table .name').allTextContents()).toEqual(
    expect.arrayContaining(['cam-1', 'cam-2', 'cam-9', 'cam-10']),
  );
  expect(await page.locator('.camera-table tbody tr').count()).toBeLessThan(100);
  await row('cam-7').getByText('1 push down').waitFor();
  expect(await axeViolations(page)).toEqual([]);
  const focused = () => page.evaluate(() => document.activeElement?.querySelector('.name')?.textContent ?? '');
  await row('cam-1').focus();
  await page.keyboard.press('End');
  await waitFor(async () => (await focused()) === `cam-${count}`, { what: 'the last row' });
  await page.keyboard.press('Space');
  await page.keyboard.press('Shift+ArrowUp');
  await page.keyboard.press('Shift+ArrowUp');
  await page.getByText('3 cameras selected').waitFor();
  await page.getByRole('button', { name: 'Disable pushes' }).focus();
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').getByText('cam-298, cam-299, cam-300').waitFor();
  expect(await axeViolations(page)).toEqual([]);
  await page.getByRole('button', { name: 'Disable 3 pushes' }).focus();
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  await row('cam-299').getByText('1 disabled').waitFor();
  expect((await aggregator.push('cam-299', 'p')).state).toBe('disabled');
  expect((await aggregator.push('cam-297', 'p')).state).toBe('idle');
  await page.getByRole('button', { name: 'Remove cameras' }).click();
  await page.getByRole('button', { name: 'Remove 3 cameras' }).click();
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  await page
    .getByText(`of ${count - 3}`)
    .first()
    .waitFor();
  expect((await aggregator.api('GET', '/v1/cameras/cam-300')).status).toBe(404);
  // The button that began it is gone; the keyboard goes on in the table.
  await waitFor(() => page.evaluate(() => document.activeElement?.closest('[role="grid"]') != null), {
    what: 'the focus in the table',
  });
  // Sorted by trouble, the one in trouble is first; Enter opens it.
  await page.getByRole('columnheader', { name: 'State' }).getByRole('button').press('Enter');
  await page.locator('.camera-table tbody tr[tabindex="0"]').focus();
  await page.keyboard.press('Home');
  await waitFor(async () => (await focused()) === 'cam-7', { what: 'the camera in trouble' });
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'cam-7' }).waitFor();
  // The retries of its outage are one entry.
  await page.getByText(/\d+ failures within/).waitFor();

  // The map has one row for all that are well.
  await page.getByRole('link', { name: 'Map' }).click();
  await page.getByText(`${count - 4} cameras, 0 live`).waitFor();

  // After it stopped and a reload, its picture is still the last one.
  await encoder.stop();
  await page.goto(`${aggregator.apiUrl}/#/?view=cards&q=cam-7`);
  await page.reload();
  const card = page.getByRole('link', { name: /cam-7 / });
  await card.getByText(/last live/).waitFor();
  await waitFor(() => card.locator('canvas').evaluate((canvas: HTMLCanvasElement) => canvas.width > 300), {
    what: 'the last picture',
  });
  expect(misdeeds).toEqual({ errors: [], strangers: [] });

  // On a phone: folded controls, targets for a thumb, nothing wider than the screen.
  const phone = await openPage(browser, scope, aggregator.apiUrl, { width: 390, height: 844 });
  await phone.page.locator('a.card').first().waitFor();
  expect(await phone.page.getByRole('radio', { name: 'Table' }).isVisible()).toBe(false);
  await phone.page.getByRole('button', { name: 'Filter and sort' }).click();
  expect(await phone.page.getByText('Table', { exact: true }).isVisible()).toBe(true);
  for (const path of ['/#/cameras/cam-7', '/#/map', '/#/settings/configuration', '/docs']) {
    await phone.page.goto(aggregator.apiUrl + path);
    await phone.page.locator('h1').first().waitFor();
    expect(await phone.page.evaluate(() => document.documentElement.scrollWidth), path).toBeLessThanOrEqual(390);
    const small = await phone.page
      .locator('button:not(.skip):visible, summary.button:visible, select:visible')
      .evaluateAll((targets) =>
        targets.filter((target) => target.getBoundingClientRect().height < 43.5).map((target) => target.outerHTML),
      );
    if (path !== '/docs') expect(small, path).toEqual([]);
  }
  expect(phone.misdeeds).toEqual({ errors: [], strangers: [] });

  // Stopped: one band, everything dimmed, durations stand still, and no error but the browser's own.
  await aggregator.kill9();
  await page.getByText(/No data since \d\d:\d\d:\d\d/).waitFor();
  expect(await page.locator('main').evaluate((main) => Number(getComputedStyle(main).opacity))).toBeLessThan(0.7);
  const since = () => card.locator('time').first().innerText();
  const before = await since();
  await page.waitForTimeout(2500);
  expect(await since()).toBe(before);
  expect(misdeeds.errors.filter((error) => !/ERR_CONNECTION|ERR_INCOMPLETE|ERR_EMPTY/.test(error))).toEqual([]);
});
