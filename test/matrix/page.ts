import { Publishing } from '../../src/cli/publish/publish.js';
import type { Aggregator } from '../support/aggregator.js';
import type { WatchedPage } from '../support/browser.js';
import { waitFor } from '../support/wait.js';
import type { Row } from './rows.js';

/** What the page makes of a row, and how long it took to say so. */
export interface PageResult {
  readonly text: string;
  readonly ms: number;
}

/** What the page says, and what the browser knows of the video, as text. */
const stateOfPlayer = `(() => {
  const { currentTime, paused, seeking, readyState, buffered, error } = document.querySelector('video') ?? { buffered: [] };
  const ranges = Array.from({ length: buffered.length }, (_, i) => [buffered.start(i), buffered.end(i)]);
  const words = document.querySelector('.player')?.innerText;
  return JSON.stringify({ words, currentTime, paused, seeking, readyState, ranges, error: error?.message });
})()`;

/** Publishes what the row's publisher wrote, again and again, and looks at the camera. */
export async function showRow(row: Row, node: Aggregator, { page }: WatchedPage): Promise<PageResult> {
  const { id } = row;
  const camera = `${id}-page`;
  await node.addCamera(camera);
  const over = new AbortController();
  const sent = { urls: [node.url(camera)], loop: true, durationMs: undefined, connectTimeoutMs: 20_000 };
  const publishing = new Publishing({ ...sent, file: await row.written(), signal: over.signal }).run();
  publishing.catch(() => undefined);
  try {
    await waitFor(async () => (await node.camera(camera)).live, { what: `${camera} to be live` });
    await waitFor(async () => hasCodecs(await node.camera(camera), row), { what: `the codecs of ${camera}` });
    let requests = 0;
    const count = (request: { url: () => string }): void => {
      if (request.url().includes('/live/')) requests++;
    };
    page.on('request', count);
    const begunMs = performance.now();
    await page.goto(`${node.apiUrl}/#/cameras/${camera}`);
    const time = (): Promise<number> => page.evaluate<number>("document.querySelector('video')?.currentTime ?? 0");
    const said = (text: RegExp): Promise<boolean> => page.getByText(text).first().isVisible();
    const first = await waitFor(
      async () => {
        if (await said(/This browser does not play/)) return 'why';
        const at = await time();
        return at > 0 ? at : undefined;
      },
      { what: `a picture or words at ${camera}`, timeoutMs: 30_000 },
    );
    const ms = performance.now() - begunMs;
    if (first === 'why') {
      page.off('request', count);
      if (requests > 0) throw new Error(`${requests} requests for what cannot be played`);
      const words =
        (await page
          .getByText(/This browser does not play/)
          .first()
          .textContent()) ?? '';
      return { text: `says: "${words.trim()}"`, ms };
    }
    await waitFor(async () => (await time()) > first + 0.5, { what: `${camera} to go on`, timeoutMs: 30_000 }).catch(
      async (error: unknown) => {
        throw new Error(`the picture stands: ${await page.evaluate<string>(stateOfPlayer)}`, { cause: error });
      },
    );
    page.off('request', count);
    if (requests !== 1) throw new Error(`${requests} requests for one stream`);
    const isMute = await said(/No sound: this browser does not play/);
    if (!isMute) return { text: 'plays', ms };
    const words =
      (await page
        .getByText(/No sound: this browser does not play/)
        .first()
        .textContent()) ?? '';
    return { text: `picture; says: "${words.trim()}"`, ms };
  } finally {
    await page.goto(`${node.apiUrl}/#/`);
    over.abort();
    await publishing.catch(() => undefined);
  }
}

function hasCodecs(view: { videoCodec: string | null; audioCodec: string | null }, row: Row): boolean {
  const has = (kind: 'video' | 'audio', codec: string | null): boolean =>
    codec !== null || row.tracks.every((track) => track.kind !== kind);
  return has('video', view.videoCodec) && has('audio', view.audioCodec);
}
