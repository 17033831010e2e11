import { describe, expect } from 'vitest';
import { startAggregator } from '../../support/aggregator.js';
import { openBrowser, openPage, type WatchedPage } from '../../support/browser.js';
import { makeClip, publish } from '../../support/ffmpeg.js';
import { startNginxRtmp } from '../../support/nginx-rtmp.js';
import { testWith } from '../../support/peers.js';
import { testScope } from '../../support/scope.js';
import { waitFor } from '../../support/wait.js';

type Page = WatchedPage['page'];

/** Frames that the video element of the page has decoded so far. */
function decodedFrames(page: Page): Promise<number> {
  return page.evaluate(() => document.querySelector('video')?.getVideoPlaybackQuality().totalVideoFrames ?? 0);
}

/** Waits until the picture moves: frames are decoded, and then more. */
async function expectMovingPicture(page: Page): Promise<void> {
  const first = await waitFor(async () => (await decodedFrames(page)) || undefined, {
    what: 'the first decoded frame',
    timeoutMs: 30_000,
  });
  await waitFor(async () => (await decodedFrames(page)) > first + 20, {
    what: 'twenty more decoded frames',
    timeoutMs: 30_000,
  });
}

describe('the dashboard', () => {
  const test = testWith('chromium', 'ffmpeg', 'nginx-rtmp');

  test.concurrent('leads from nothing to a playing picture, redirects it, tells of a dead target and of its return', async (context) => {
    const scope = testScope(context);
    const [clip, nginx, aggregator, browser] = await Promise.all([
      makeClip({ seconds: 12 }),
      startNginxRtmp(scope),
      startAggregator(scope),
      openBrowser(scope),
    ]);
    const { page, misdeeds } = await openPage(browser, scope, aggregator.apiUrl);

    // A wrong name is refused in the server's own words, and registers nothing.
    await page.getByRole('heading', { name: 'First steps' }).waitFor();
    await page.getByLabel('Name').fill('-gate');
    await page.getByRole('button', { name: 'Register' }).click();
    await page.getByRole('alert').getByText('INVALID_NAME').waitFor();
    expect(misdeeds.errors.splice(0)).toEqual([expect.stringContaining('400')]);
    await page.getByLabel('Name').fill('gate-1');
    await page.getByRole('button', { name: 'Register' }).click();

    // What there is to copy is what works.
    await page.getByRole('tab', { name: 'A camera' }).click();
    const address = await page.getByRole('textbox', { name: 'RTMP address' }).inputValue();
    expect(address).toBe(aggregator.url('gate-1'));
    await page.getByText('Waiting for gate-1 to publish').waitFor();
    publish(scope, clip, address, { inputOptions: ['-stream_loop', '-1'] });
    await page.getByText('gate-1 is live').waitFor();
    await expectMovingPicture(page);

    // A push: tried without media first, then added, and seen to be active.
    await page.getByRole('link', { name: 'Redirect it to a target' }).click();
    await page.getByRole('heading', { name: 'gate-1', exact: true }).waitFor();
    await page.getByRole('button', { name: 'Add a push' }).click();
    await page.getByLabel('Address of the target').fill(nginx.url('gate'));
    await page.getByRole('button', { name: 'Test it first' }).click();
    await page.getByText('The target would take the stream.').waitFor();
    await page.getByRole('button', { name: 'Add the push' }).click();
    const push = page.getByRole('article', { name: /^Push / });
    await push.getByText('active', { exact: true }).waitFor();
    await nginx.recording('gate');

    // The target dies and comes back: the page says why, and when it is tried next, without being asked.
    await nginx.kill();
    await push.getByText('waiting', { exact: true }).waitFor();
    await push.getByText('TARGET_REFUSED').waitFor();
    await push.getByText(/next attempt/).waitFor();
    await nginx.start();
    await push.getByText('active', { exact: true }).waitFor();

    // Disabled and enabled again, as observed.
    await push.getByRole('button', { name: /^Disable/ }).click();
    await push.getByText('disabled', { exact: true }).waitFor();
    await push.getByRole('button', { name: /^Enable/ }).click();
    await push.getByText('active', { exact: true }).waitFor();

    // A reload keeps the place, with its tab.
    await page.getByText('Publish to it').click();
    await page.getByRole('tab', { name: 'OBS' }).click();
    await page.reload();
    await page.getByRole('heading', { name: 'gate-1', exact: true }).waitFor();
    await push.getByText('active', { exact: true }).waitFor();
    await expectMovingPicture(page);
    await page.getByText('Publish to it').click();
    expect(await page.getByRole('textbox', { name: 'server for OBS' }).inputValue()).toBe(
      aggregator.url('gate-1').replace(/\/gate-1$/, ''),
    );
    await page
      .getByText(/active -> waiting|failures within/)
      .filter({ visible: true })
      .first()
      .waitFor();

    // Its push and itself are removed; both are gone for the server too.
    await push.getByLabel(/^More actions/).click();
    await push.getByRole('button', { name: /^Remove/ }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Remove the push' }).click();
    await push.waitFor({ state: 'detached' });
    expect((await aggregator.camera('gate-1')).pushes).toEqual([]);

    // The aggregator itself is killed: the page says that what it shows grows old, and goes on by itself.
    expect(misdeeds.errors).toEqual([]);
    await aggregator.kill9();
    await page.getByText('No data since').waitFor();
    await aggregator.start();
    await page.getByText('not live', { exact: true }).waitFor();
    await page.getByText('No data since').waitFor({ state: 'detached' });
    // What the browser itself tells of a server that is gone, and of a player that asks before the camera is back.
    const isExpected = (error: string) => /ERR_CONNECTION|ERR_INCOMPLETE|ERR_EMPTY|\b404\b.*\/live\//.test(error);

    await page.getByLabel('More actions', { exact: true }).click();
    await page.getByRole('button', { name: 'Remove the camera' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Remove gate-1' }).click();
    await page.getByRole('heading', { name: 'First steps' }).waitFor();
    expect((await aggregator.api('GET', '/v1/cameras/gate-1')).status).toBe(404);
    expect(misdeeds.strangers).toEqual([]);
    expect(misdeeds.errors.filter((error) => !isExpected(error))).toEqual([]);
  });

  test.concurrent('shows a test pattern in one press, and a still of it on its card', async (context) => {
    const scope = testScope(context);
    const [aggregator, browser] = await Promise.all([
      startAggregator(scope, { flags: ['--publish-auth', 'key'] }),
      openBrowser(scope),
    ]);
    const { page, misdeeds } = await openPage(browser, scope, aggregator.apiUrl);
    await page.getByRole('button', { name: 'Try it with a test pattern' }).click();
    await expectMovingPicture(page);

    await page.getByRole('link', { name: 'All cameras' }).click();
    // The picture is no empty canvas: its pixels differ.
    await waitFor(
      () =>
        page.evaluate(() => {
          const canvas = document.querySelector<HTMLCanvasElement>('.card canvas');
          const pixels = canvas?.width
            ? canvas.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height)
            : null;
          return new Set(pixels?.data).size > 50;
        }),
      { what: 'the still on the card', timeoutMs: 20_000 },
    );

    await page.getByRole('link', { name: /test-pattern/ }).click();
    await page.getByText('Publish to it').click();
    await page.getByRole('button', { name: 'Stop the test pattern' }).click();
    await page.getByRole('button', { name: 'Publish a test pattern' }).waitFor();
    expect(await aggregator.camera('test-pattern')).toMatchObject({ live: false });

    // Where keys are wanted, the address to copy has the one that is taken; and a new one is another.
    const address = page.getByRole('textbox', { name: 'address that the camera publishes to' });
    await waitFor(async () => /key=[\w-]{8,}/.test(await address.inputValue()), { what: 'the key' });
    const before = await address.inputValue();
    expect(before).toBe((await aggregator.camera('test-pattern')).endpoint);
    await page.getByRole('button', { name: 'Make a new key' }).click();
    await waitFor(async () => (await address.inputValue()) !== before, { what: 'the new key' });
    expect(await address.inputValue()).toBe((await aggregator.camera('test-pattern')).endpoint);
    expect(misdeeds).toEqual({ errors: [], strangers: [] });
  });
});
