import type { Page } from 'playwright-core';
import { describe, expect } from 'vitest';
import { Publishing } from '../../../src/cli/publish/publish.js';
import { startAggregator } from '../../support/aggregator.js';
import { openBrowser, openPage } from '../../support/browser.js';
import { type EnhancedClip, makeEnhancedClip } from '../../support/enhanced-clip.js';
import { testWith } from '../../support/peers.js';
import { testScope } from '../../support/scope.js';
import { waitFor } from '../../support/wait.js';

const h264 = ['libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p'];
const vp9 = ['libvpx-vp9', '-deadline', 'realtime', '-cpu-used', '8', '-b:v', '300k'];
const av1 = ['libsvtav1', '-preset', '12', '-b:v', '300k'];

/** How long a camera that cannot be played is looked at. `npm run soak:player` looks for an hour. */
const watchMs = Number(process.env.WATCH_SECONDS ?? 4) * 1000;

interface Row {
  readonly name: string;
  readonly clip: Omit<EnhancedClip, 'seconds'>;
  /** What is said of the sound. */
  readonly silence?: RegExp;
}

/** What Debian's Chromium plays. */
const played: readonly Row[] = [
  {
    name: 'avc1-ac3',
    clip: { video: { id: 'avc1', encoder: h264 }, audio: { id: 'ac-3', encoder: ['ac3'] } },
    silence: /AC-3/,
  },
  {
    name: 'h264-g711',
    clip: { video: { id: 7, encoder: h264 }, audio: { id: 7, encoder: ['pcm_alaw', '-ar', '8000'] } },
    silence: /G\.711/,
  },
  { name: 'av1-opus', clip: { video: { id: 'av01', encoder: av1 }, audio: { id: 'Opus', encoder: ['libopus'] } } },
  { name: 'vp9-flac', clip: { video: { id: 'vp09', encoder: vp9 }, audio: { id: 'fLaC', encoder: ['flac'] } } },
  { name: 'h264-mp3', clip: { video: { id: 7, encoder: h264 }, audio: { id: 2, encoder: ['libmp3lame'] } } },
];
/** What it does not. */
const refused: readonly Row[] = [
  {
    name: 'hevc-aac',
    clip: {
      video: {
        id: 'hvc1',
        encoder: ['libx265', '-preset', 'ultrafast', '-tag:v', 'hvc1', '-x265-params', 'log-level=error'],
      },
      audio: { id: 10, encoder: ['aac'] },
    },
  },
  {
    name: 'vp8-opus',
    clip: {
      video: { id: 'vp08', encoder: ['libvpx', '-deadline', 'realtime', '-cpu-used', '8', '-b:v', '300k'] },
      audio: { id: 'Opus', encoder: ['libopus'] },
    },
  },
];

/** A line for each minute of a long watch: what the pages asked for since they were opened, and what they hold in memory. */
async function noteFigures(
  minute: number,
  api: string,
  pages: readonly Page[],
  live: readonly number[],
): Promise<void> {
  const figures = await Promise.all(
    pages.map((page) =>
      page.evaluate(() => ({
        heapMb:
          Math.round((performance as unknown as { memory: { usedJSHeapSize: number } }).memory.usedJSHeapSize / 1e5) /
          10,
        nodes: document.getElementsByTagName('*').length,
      })),
    ),
  );
  const metrics = await (await fetch(`${api}/metrics`)).text();
  const viewers = /^media_aggregator_viewers\S* .*$/m.exec(metrics)?.[0];
  console.log(JSON.stringify({ minute, live, figures, viewers }));
}

describe('the player of the dashboard', () => {
  const test = testWith('chromium', 'ffmpeg');

  test('plays each codec that the browser knows, and says of others why not, without a request', async (context) => {
    const scope = testScope(context);
    const [aggregator, browser] = await Promise.all([startAggregator(scope), openBrowser(scope)]);
    const damaged: Row = { name: 'damaged', clip: { video: { id: 'vp09', encoder: h264 } } };
    const viewersOf = async (name: string): Promise<number> => (await aggregator.camera(name)).viewers;
    const over = new AbortController();
    scope.defer(() => over.abort());
    await Promise.all(
      [...played, ...refused, damaged].map(async ({ name, clip }) => {
        const file = await makeEnhancedClip({ ...clip, seconds: 2, size: '160x120' });
        await aggregator.api('POST', '/v1/cameras', { name });
        const sent = {
          file,
          urls: [aggregator.url(name)],
          loop: true,
          durationMs: undefined,
          connectTimeoutMs: 20_000,
        };
        new Publishing({ ...sent, signal: over.signal }).run().catch(() => undefined);
      }),
    );
    // Chromium says so when the interfaces of the machine change, which is none of the page's doing.
    const expected = /ERR_NETWORK_CHANGED/;
    const { page, misdeeds } = await openPage(browser, scope, aggregator.apiUrl, { expected });
    let requests = 0;
    page.on('request', (request) => {
      if (request.url().includes('/live/')) requests++;
    });
    const open = async (name: string): Promise<void> => {
      await waitFor(async () => (await aggregator.camera(name)).live, { what: `${name} live`, timeoutMs: 30_000 });
      requests = 0;
      await page.goto(`${aggregator.apiUrl}/#/cameras/${name}`);
      await page.getByRole('heading', { name, exact: true }).waitFor();
    };
    for (const { name, silence } of played) {
      await open(name);
      const time = () => page.evaluate(() => document.querySelector('video')?.currentTime ?? 0);
      const first = await waitFor(async () => (await time()) || undefined, {
        what: `${name} plays`,
        timeoutMs: 20_000,
      });
      await waitFor(async () => (await time()) > first + 0.5, { what: `${name} goes on`, timeoutMs: 20_000 });
      if (silence !== undefined) await page.getByText(silence).first().waitFor();
      else expect([name, await page.getByText(/No sound/).count()]).toEqual([name, 0]);
      if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/${name}.png` });
      expect([name, requests]).toEqual([name, 1]);
    }
    await open('av1-opus');
    await page.getByText(/AV1 Main · 160 × 120/).waitFor();
    // Nobody answers: there is a word from the beginning, and after 2.5 s by the clock of the page what is waited for.
    await page.goto(`${aggregator.apiUrl}/#/`);
    await page.route('**/live/**', () => undefined);
    await page.goto(`${aggregator.apiUrl}/#/cameras/h264-g711`);
    const words = await page.evaluate(async () => {
      const said = new Map<string, number>();
      for (const begunMs = performance.now(); performance.now() - begunMs < 20_000; ) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        if (document.querySelector('.player') === null) continue;
        const text = document.querySelector('.player-cover')?.textContent ?? '';
        if (!said.has(text)) said.set(text, performance.now() - begunMs);
        if (text.startsWith('Waiting')) break;
      }
      return [...said];
    });
    await page.unroute('**/live/**');
    expect(words.map(([text]) => text)).toEqual(['Loading …', 'Waiting for the server to answer …']);
    expect(words.at(-1)?.[1]).toBeLessThan(10_000);
    // A picture that stands still, since nothing comes any more, has a word too; and loses it when frames come again.
    await open('h264-mp3');
    await page.waitForFunction(() => (document.querySelector('video')?.currentTime ?? 0) > 0);
    process.kill(aggregator.process.pid, 'SIGSTOP');
    await page.getByText('No frame has come for 3 s').waitFor({ timeout: 30_000 });
    process.kill(aggregator.process.pid, 'SIGCONT');
    await page.getByText('No frame has come for 3 s').waitFor({ state: 'detached', timeout: 30_000 });
    for (const { name } of refused) {
      await open(name);
      await page.getByText(/This browser does not play/).waitFor();
      await page.getByText('Pushes and other viewers get it as it comes.').waitFor();
      // FFmpeg knows no VP8 in FLV.
      expect([name, await page.getByRole('textbox', { name: 'ffplay line' }).count()]).toEqual([
        name,
        name.startsWith('vp8') ? 0 : 1,
      ]);
      if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/${name}.png` });
      expect([name, requests]).toEqual([name, 0]);
    }
    // The header promises VP9, and what follows is none: it is tried once, and not again.
    await open('damaged');
    await page.getByText(/browser cannot/).waitFor();
    await page.getByRole('button', { name: 'Try again' }).waitFor();
    // A second page stays on a camera whose codec the browser has not.
    const other = await openPage(browser, scope, aggregator.apiUrl, { expected });
    let otherRequests = 0;
    other.page.on('request', (request) => {
      if (request.url().includes('/live/')) otherRequests++;
    });
    await other.page.goto(`${aggregator.apiUrl}/#/cameras/hevc-aac`);
    await other.page.getByText(/This browser does not play/).waitFor();
    // Nothing is asked for meanwhile, and nobody counts as a viewer.
    expect([requests, otherRequests]).toEqual([1, 0]);
    const end = performance.now() + watchMs;
    for (let minute = 0; ; minute++) {
      if (watchMs > 60_000) await noteFigures(minute, aggregator.apiUrl, [page, other.page], [requests, otherRequests]);
      const left = end - performance.now();
      if (left <= 0) break;
      await page.waitForTimeout(Math.min(left, 60_000));
    }
    expect([requests, otherRequests]).toEqual([1, 0]);
    expect(other.misdeeds).toEqual({ errors: [], strangers: [] });
    await waitFor(
      async () =>
        (await Promise.all([...refused.map(({ name }) => name), 'damaged'].map(viewersOf))).every((n) => n === 0),
      { what: 'no phantom viewers' },
    );
    expect(misdeeds).toEqual({ errors: [], strangers: [] });
  });
});
