import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { longestHoldMs } from '../support/loop-holds.js';
import { waitFor } from '../support/wait.js';
import type { TestApi } from './harness.js';
import { cameraNames, type RawAnswer, rawGet, startLargeNode } from './large-node.js';

/** Nothing that somebody asks for may hold a frame for longer. */
const maxHoldMs = 20;
const count = 10_000;

let api: TestApi;
beforeAll(async () => {
  api = await startLargeNode(count);
  const { feed } = api.control;
  const began = feed.newestId;
  // Once a second the backend is looked at; afterwards all cameras are known to be live, with their pushes.
  await waitFor(() => feed.newestId >= began + 3.9 * count, { what: 'all cameras to be live', timeoutMs: 100_000 });
}, 120_000);
afterAll(() => api.close());

const adminToken = (): string => readFileSync(join(api.folder, 'admin-token'), 'utf8').trim();

/** Gets the path, and says for how long the loop was held; the answer is looked at once all is over. */
async function hold(path: string, headers?: string): Promise<RawAnswer & { ms: number }> {
  let answer: () => RawAnswer = () => ({ status: 0, headers: '', body: '' });
  const ms = await longestHoldMs(async () => {
    answer = await rawGet(api.api.port, path, headers);
  });
  return { ms, ...answer() };
}

/** Follows events until the text is there, or so much came. */
async function follow(query: string, isEnough: (bytes: number, block: Buffer) => boolean): Promise<() => string> {
  const blocks: Buffer[] = [];
  const socket = connect(api.api.port, '127.0.0.1', () =>
    socket.write(`GET /v1/events?${query} HTTP/1.1\r\nhost: localhost\r\n\r\n`),
  );
  let bytes = 0;
  await new Promise<void>((resolve) => {
    socket.on('data', (block) => {
      blocks.push(block);
      bytes += block.length;
      if (isEnough(bytes, block)) resolve();
    });
  });
  socket.destroy();
  await once(socket, 'close');
  return () => Buffer.concat(blocks).toString();
}

describe('with 10,000 live cameras of three pushes each, nobody is held up by', () => {
  it.each([
    '/v1/cameras?limit=1000',
    '/v1/cameras?limit=1000&live=false',
    '/v1/cameras?limit=1000&pushState=waiting',
    '/v1/cameras?limit=1000&prefix=camera-09&pushState=active',
    '/v1/cameras/camera-00000',
    '/v1/cameras/camera-00000/pushes',
    '/v1/cameras/camera-00000/events',
    '/v1/cameras/camera-00000/history',
    '/v1/nodes',
    '/v1/config',
    '/v1/session',
    '/v1/log',
    '/v1/test-pattern',
    '/v1/engines',
    '/v1/tokens',
    '/stats',
    '/status',
    '/openapi.json',
    '/docs',
    '/metrics',
    '/healthz',
    '/readyz',
  ])(
    '%s',
    async (path) => {
      // Who may see the tokens is asked for one.
      const headers = path === '/v1/tokens' ? `authorization: Bearer ${adminToken()}\r\n` : undefined;
      const { ms, status } = await hold(path, headers);
      expect([path, status]).toEqual([path, 200]);
      expect(ms).toBeLessThan(maxHoldMs);
    },
    60_000,
  );

  it('twelve lists at once, which come whole and in their order', async () => {
    let answers: (() => RawAnswer)[] = [];
    const ms = await longestHoldMs(async () => {
      answers = await Promise.all(Array.from({ length: 12 }, () => rawGet(api.api.port, '/v1/cameras?limit=1000')));
    }, 3);
    // What this test keeps of the answers is collected meanwhile.
    expect(ms).toBeLessThan(2 * maxHoldMs);
    const expected = cameraNames(1000);
    for (const answer of answers) {
      const { items, next } = JSON.parse(answer().body);
      expect(items.map(({ name }: { name: string }) => name)).toEqual(expected);
      expect(items[999].pushes).toHaveLength(3);
      expect(next).toBe(expected[999]);
    }
  }, 120_000);

  it('ten scrapes at once, which share one rendering', async () => {
    const ms = await longestHoldMs(
      () => Promise.all(Array.from({ length: 10 }, () => rawGet(api.api.port, '/metrics'))),
      3,
    );
    expect(ms).toBeLessThan(2 * maxHoldMs);
  }, 120_000);

  it('a reader who missed thousands of events, and gets every one of them', async () => {
    const { feed } = api.control;
    const from = feed.newestId - 4500;
    const missed = 4400;
    let read: () => string = () => '';
    let seen = 0;
    const ms = await longestHoldMs(async () => {
      seen = 0;
      read = await follow(`lastEventId=${from}`, (bytes) => bytes > missed * 200);
    }, 3);
    expect(ms).toBeLessThan(maxHoldMs);
    const ids = [...read().matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id));
    for (const id of ids) expect(id).toBe(from + ++seen);
    expect(seen).toBeGreaterThan(2000);
  }, 60_000);

  it('a newcomer who wants figures, and gets those of all cameras', async () => {
    let read: () => string = () => '';
    const ms = await longestHoldMs(async () => {
      read = await follow('stats=1', (_, block) => block.includes('"camera-09999"'));
    }, 3);
    // Ten thousand live cameras are looked at for the first time: garbage is collected meanwhile, in one go.
    expect(ms).toBeLessThan(3 * maxHoldMs);
    const told = new Set([...read().matchAll(/"(camera-\d{5})":\{/g)].map(([, name]) => name));
    expect(told.size).toBe(count);
  }, 60_000);
});
