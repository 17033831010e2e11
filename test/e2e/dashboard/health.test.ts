import { describe, expect } from 'vitest';
import { PacedCamera } from '../../soak/health/paced-camera.js';
import { startAggregator } from '../../support/aggregator.js';
import { axeViolations } from '../../support/axe.js';
import { openBrowser, openPage } from '../../support/browser.js';
import { testWith } from '../../support/peers.js';
import { testScope } from '../../support/scope.js';

describe('the dashboard', () => {
  const test = testWith('chromium');

  test('says what is wrong with a camera, since when by the clock of the server, and registers who was refused', async (context) => {
    const scope = testScope(context);
    const aggregator = await startAggregator(scope, { flags: ['--camera-no-video-after', '1s'] });
    await aggregator.addCamera('gate');
    const camera = new PacedCamera(aggregator.url('gate'));
    await camera.start();
    scope.defer(() => camera.stop());
    const stranger = new PacedCamera(aggregator.url('north-gate'));
    await stranger.start().catch(() => undefined);
    await stranger.stop();

    const browser = await openBrowser(scope);
    const { page } = await openPage(browser, scope, 'about:blank');
    // A browser whose clock is three hours behind.
    await page.addInitScript(() => {
      const real = Date.now.bind(Date);
      Date.now = () => real() - 3 * 3_600_000;
    });
    await page.goto(`${aggregator.apiUrl}/`);
    const card = page.locator('a.card', { hasText: 'gate' });
    await card.getByText('live', { exact: true }).waitFor();
    camera.shape.fps = 0;
    await card.getByText('no picture', { exact: true }).waitFor();
    expect(await card.locator('.card-badge time').innerText()).toMatch(/^\d+ (s|min)$/);
    expect(await page.locator('.totals .bad').innerText()).toMatch(/In trouble\s*1/);
    await card.click();
    await page.getByText('the camera has stopped sending video').first().waitFor();
    expect(await page.locator('.note.bad time').first().innerText()).toMatch(/^\d+ (s|min)$/);
    expect(await axeViolations(page)).toEqual([]);

    await page.goto(`${aggregator.apiUrl}/`);
    await page.getByText('1 publisher was refused').click();
    await page.getByRole('button', { name: 'Register north-gate' }).click();
    await page.getByRole('button', { name: 'Register', exact: true }).click();
    await page.getByRole('heading', { name: 'north-gate' }).waitFor();
  });
});
