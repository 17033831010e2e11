import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, inject } from 'vitest';
import { type Aggregator, startAggregator } from '../../support/aggregator.js';
import { axeViolations } from '../../support/axe.js';
import { openBrowser, openPage, type WatchedPage } from '../../support/browser.js';
import { publish } from '../../support/ffmpeg.js';
import { startNginxRtmp } from '../../support/nginx-rtmp.js';
import { testWith } from '../../support/peers.js';
import { freePort } from '../../support/ports.js';
import { runOk } from '../../support/process.js';
import { type Scope, testScope } from '../../support/scope.js';
import { sleep, waitFor } from '../../support/wait.js';

type Page = WatchedPage['page'];

/** Set, the pictures of the documentation are taken anew; else a run leaves them alone. */
const takesPictures = process.env.MEDIA_AGGREGATOR_SCREENSHOTS === '1';
const wantedPictures = ['overview-light', 'camera-dark', 'map-light', 'first-steps-light', 'phone'];
const pictureFolder = fileURLToPath(new URL('../../../docs/screenshots', import.meta.url));

const pictures = [
  'testsrc2=size=640x360:rate=25',
  'smptehdbars=size=640x360:rate=25',
  'mandelbrot=size=640x360:rate=25:start_scale=0.3',
  'gradients=size=640x360:rate=25:n=3:c0=0x102a43:c1=0x2f80c3:c2=0xf49d37:type=spiral:speed=0.01',
];

/** A node on an ordinary evening: most of it flows, a target is down, and some cameras are not there. */
async function makeScene(scope: Scope): Promise<Aggregator> {
  const [nginx, aggregator] = await Promise.all([
    startNginxRtmp(scope),
    startAggregator(scope, { flags: ['--resource-id', 'stadium-1', '--location', 'north stand'] }),
  ]);
  const clips = await Promise.all(pictures.map((source, index) => makePicture(source, index)));
  const names = ['gate-north', 'gate-south', 'roof', 'press-room', 'tunnel', 'parking-1', 'parking-2', 'vip-lounge'];
  await Promise.all(names.map((name) => aggregator.addCamera(name)));
  await aggregator.apiOk('POST', '/v1/engines', {
    name: 'engine-east',
    host: '127.0.0.1',
    location: 'east stand',
    pushUrl: `rtmp://{host}:${nginx.port}/live/{name}`,
  });
  for (const [index, clip] of clips.entries()) {
    const name = names[index] ?? '';
    publish(scope, clip, aggregator.url(name), { inputOptions: ['-stream_loop', '-1'] });
    await aggregator.apiOk('POST', `/v1/cameras/${name}/pushes`, { id: 'east', engine: 'engine-east' });
  }
  await aggregator.addPush('gate-north', nginx.url('gate-north-archive'), 'archive');
  // Nothing listens there.
  const closed = await freePort();
  await aggregator.addPush('gate-north', `rtmp://127.0.0.7:${closed}/live/gate-north`, 'west');
  await aggregator.apiOk('POST', '/v1/cameras/roof/pushes', {
    id: 'backup',
    url: nginx.url('roof-backup'),
    enabled: false,
  });
  await aggregator.apiOk('POST', '/v1/cameras/tunnel/pushes', { id: 'east', engine: 'engine-east' });
  await Promise.all([
    ...clips.map((_, index) => aggregator.waitForPush(names[index] ?? '', 'east', 'active', 30_000)),
    aggregator.waitForPush('gate-north', 'west', 'waiting', 30_000),
  ]);
  return aggregator;
}

async function makePicture(source: string, index: number): Promise<string> {
  const file = join(inject('clipFolder'), `picture-${index}.flv`);
  const tone = `sine=frequency=${300 + 100 * index}`;
  const codecs = ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-g', '50', '-b:v', '700k'];
  const inputs = ['-f', 'lavfi', '-i', source, '-f', 'lavfi', '-i', tone];
  await runOk('ffmpeg', ['-v', 'error', '-y', ...inputs, '-t', '4', ...codecs, '-c:a', 'aac', '-f', 'flv', file]);
  return file;
}

interface PageCase {
  readonly name: string;
  readonly hash: string;
  /** Resolves when all of it is there. */
  readonly ready: (page: Page) => Promise<unknown>;
}

const cases: readonly PageCase[] = [
  {
    name: 'overview',
    hash: '#/',
    // On a phone the cards are one below the other, and one live one is in sight.
    ready: (page) => waitForStills(page, (page.viewportSize()?.width ?? 0) > 800 ? 4 : 1),
  },
  {
    name: 'camera',
    hash: '#/cameras/gate-north',
    ready: async (page) => {
      await page.getByText('TARGET_REFUSED').first().waitFor();
      await waitFor(() => page.evaluate(() => (document.querySelector('video')?.currentTime ?? 0) > 0.5), {
        what: 'the picture',
        timeoutMs: 30_000,
      });
    },
  },
  { name: 'map', hash: '#/map', ready: (page) => page.getByText('Broken: 1 push').waitFor() },
  { name: 'engines', hash: '#/settings/engines', ready: (page) => page.getByText('engine-east').waitFor() },
  { name: 'access', hash: '#/settings/access', ready: (page) => page.getByText('(scope “operate”)').waitFor() },
  {
    name: 'configuration',
    hash: '#/settings/configuration',
    ready: (page) => page.getByRole('rowheader', { name: /^queue-max-bytes/ }).waitFor(),
  },
  {
    name: 'first-steps',
    hash: '#/?first-steps=parking-1',
    ready: (page) => page.getByText('Waiting for parking-1').waitFor(),
  },
  { name: 'register', hash: '#/?register=1', ready: (page) => page.getByRole('dialog').waitFor() },
];

function waitForStills(page: Page, count: number): Promise<unknown> {
  const drawn = () =>
    page.evaluate(() => [...document.querySelectorAll('canvas')].filter(({ width }) => width > 300).length);
  return waitFor(async () => (await drawn()) >= count, { what: `${count} stills`, timeoutMs: 30_000 });
}

/** With time enough for a trend to be seen. */
async function takePicture(page: Page, name: string): Promise<void> {
  if (!takesPictures || !wantedPictures.includes(name)) return;
  await sleep(/^(?:overview|camera)/.test(name) ? 14_000 : 1000);
  await page.screenshot({ path: join(pictureFolder, `${name}.png`) });
}

describe('every page of the dashboard', () => {
  const test = testWith('chromium', 'ffmpeg', 'nginx-rtmp');

  test('keeps nobody out, in light and in dark, on a desk and on a phone', async (context) => {
    const scope = testScope(context);
    const [aggregator, browser] = await Promise.all([makeScene(scope), openBrowser(scope)]);
    if (takesPictures) mkdirSync(pictureFolder, { recursive: true });

    const found: Record<string, string[]> = {};
    for (const theme of ['light', 'dark'] as const) {
      const { page, misdeeds } = await openPage(browser, scope, aggregator.apiUrl, { theme });
      for (const { name, hash, ready } of cases) {
        await page.goto(`${aggregator.apiUrl}/${hash}`);
        await ready(page);
        const list = await axeViolations(page);
        if (list.length > 0) found[`${name}, ${theme}`] = list;
        await takePicture(page, `${name}-${theme}`);
      }
      expect(misdeeds, theme).toEqual({ errors: [], strangers: [] });
      await page.context().close();
    }

    expect(found).toEqual({});

    const { page, misdeeds } = await openPage(browser, scope, aggregator.apiUrl, { width: 390, height: 844 });
    for (const { name, hash, ready } of cases) {
      await page.goto(`${aggregator.apiUrl}/${hash}`);
      await ready(page);
      const tooWide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      expect(tooWide, `${name} on a phone`).toBeLessThanOrEqual(0);
      if (name === 'overview') await takePicture(page, 'phone');
    }
    expect(misdeeds).toEqual({ errors: [], strangers: [] });
  }, 240_000);
});
