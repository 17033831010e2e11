import { readFileSync } from 'node:fs';
import { type ClientRequest, get, type IncomingMessage } from 'node:http';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { CameraSnapshot } from '../../src/backend/backend.js';
import { eventTypes } from '../../src/events/event.js';
import { cameraSnapshot, pushSnapshot } from '../control/fake-backend.js';
import { waitFor } from '../support/wait.js';
import { startTestApi, type TestApi } from './harness.js';

interface Seen {
  readonly event: string;
  readonly id: string | undefined;
  readonly data: Record<string, unknown>;
}

/** A reader of server-sent events that understands what the specification says, and no more. */
class Reader {
  readonly events: Seen[] = [];
  status = 0;
  ended = false;
  comments = 0;
  response: IncomingMessage | undefined;
  readonly #request: ClientRequest;

  constructor(url: string, headers: Record<string, string> = {}) {
    let rest = '';
    this.#request = get(url, { headers, agent: false }, (response) => {
      this.status = response.statusCode ?? 0;
      this.response = response;
      response.setEncoding('utf8');
      response.on('data', (text: string) => {
        const blocks = (rest + text).split('\n\n');
        rest = blocks.pop() ?? '';
        for (const block of blocks) this.#take(block);
      });
      response.on('error', () => {});
      response.on('close', () => {
        this.ended = true;
      });
    });
    this.#request.on('error', () => {});
  }

  of(type: string): Seen[] {
    return this.events.filter(({ event }) => event === type);
  }

  async until(type: string, count = 1): Promise<Seen> {
    await waitFor(() => this.of(type).length >= count, { what: `${count} events ${type}` });
    return this.of(type)[count - 1] as Seen;
  }

  close(): void {
    this.#request.destroy();
  }

  #take(block: string): void {
    const fields = new Map<string, string>();
    for (const line of block.split('\n')) {
      const at = line.indexOf(': ');
      if (at === 0) this.comments++;
      else fields.set(line.slice(0, at), line.slice(at + 2));
    }
    const data = fields.get('data');
    if (data === undefined) return;
    const parsed = JSON.parse(data) as Record<string, unknown>;
    this.events.push({ event: fields.get('event') ?? 'message', id: fields.get('id'), data: parsed });
  }
}

let test: TestApi;
const readers: Reader[] = [];
beforeEach(async () => {
  test = await startTestApi();
});
afterEach(async () => {
  for (const reader of readers.splice(0)) reader.close();
  await test.close();
});

const follow = (query = '', headers: Record<string, string> = {}): Reader => {
  const reader = new Reader(`${test.base}/v1/events${query}`, headers);
  readers.push(reader);
  return reader;
};
const call = async (method: string, path: string, body?: unknown): Promise<void> => {
  const headers = { 'content-type': 'application/json' };
  const sent = body === undefined ? {} : { headers, body: JSON.stringify(body) };
  const response = await fetch(test.base + path, { method, ...sent });
  expect(response.status).toBeLessThan(300);
};
const observe = (snapshot: CameraSnapshot): void => {
  test.backend.snapshots.set(snapshot.name, snapshot);
};

it('tells of every change of cameras, pushes and engines, in order, without secrets', async () => {
  const reader = follow();
  const start = await reader.until('reset');
  expect(start.data).toMatchObject({ reason: 'new' });
  expect(reader.response?.headers['content-type']).toMatch(/^text\/event-stream/);
  await call('POST', '/v1/cameras', { name: 'gate' });
  await call('PUT', '/v1/cameras/gate', { type: 'dome' });
  await call('POST', '/v1/cameras/gate/pushes', { id: 'p', url: 'rtmp://h.invalid/live/key-9?token=hush' });
  await call('PATCH', '/v1/cameras/gate/pushes/p', { enabled: false });
  await call('POST', '/v1/engines', { name: 'east', host: 'e.invalid' });
  await call('DELETE', '/v1/engines/east');
  await call('DELETE', '/v1/cameras/gate/pushes/p');
  await call('DELETE', '/v1/cameras/gate');
  await reader.until('camera.removed');
  const told = reader.events.slice(1);
  expect(told.map(({ event }) => event)).toEqual([
    ...['camera.registered', 'camera.changed', 'push.added', 'push.changed', 'engine.registered', 'engine.removed'],
    ...['push.removed', 'camera.removed'],
  ]);
  const first = Number(start.id);
  expect(told.map(({ id }) => Number(id) - first)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  expect(told[2]?.data).toMatchObject({ camera: 'gate', push: 'p', enabled: true, id: first + 3, type: 'push.added' });
  expect(told[3]?.data).toMatchObject({ enabled: false });
  expect(JSON.stringify(told)).not.toMatch(/hush|key-9/);
});

it('goes on behind the last event that was read, by header and by query', async () => {
  const reader = follow();
  await reader.until('reset');
  for (const name of ['a', 'b', 'c']) await call('POST', '/v1/cameras', { name });
  await reader.until('camera.registered', 3);
  const [a, b] = reader.of('camera.registered');
  reader.close();
  await call('POST', '/v1/cameras', { name: 'd' });

  const byHeader = follow('?lastEventId=1', { 'last-event-id': String(a?.id) });
  await byHeader.until('camera.registered', 3);
  expect(byHeader.events.map(({ data }) => data.camera)).toEqual(['b', 'c', 'd']);
  const byQuery = follow(`?lastEventId=${b?.id}`);
  await byQuery.until('camera.registered', 2);
  expect(byQuery.events.map(({ data }) => data.camera)).toEqual(['c', 'd']);
  const upToDate = follow(`?lastEventId=${byQuery.events[1]?.id}`);
  await call('POST', '/v1/cameras', { name: 'e' });
  await upToDate.until('camera.registered');
  expect(upToDate.events.map(({ data }) => data.camera)).toEqual(['e']);
});

it('asks for a new start where it cannot go on: numbers of another run, and what is no number', async () => {
  await call('POST', '/v1/cameras', { name: 'a' });
  const newest = test.control.feed.newestId;
  for (const wrong of ['1', String(newest + 1), '9'.repeat(16), 'x', '-1', 'NaN']) {
    const reader = follow('', { 'last-event-id': wrong });
    expect((await reader.until('reset')).data, wrong).toEqual({ id: newest, type: 'reset', reason: 'unknown' });
    expect(reader.events.length).toBe(1);
  }
});

it('filters by camera and by type, and refuses what is neither', async () => {
  const ofGate = follow('?camera=gate,yard');
  const ofPushes = follow('?types=push,camera.removed');
  await Promise.all([ofGate.until('reset'), ofPushes.until('reset')]);
  for (const name of ['gate', 'shed']) await call('POST', '/v1/cameras', { name });
  await call('POST', '/v1/engines', { name: 'east', host: 'e.invalid' });
  await call('POST', '/v1/cameras/shed/pushes', { id: 'p', engine: 'east' });
  await call('DELETE', '/v1/cameras/gate');
  await Promise.all([ofGate.until('camera.removed'), ofPushes.until('camera.removed')]);
  expect(ofGate.events.map(({ event }) => event)).toEqual(['reset', 'camera.registered', 'camera.removed']);
  expect(ofPushes.events.map(({ event }) => event)).toEqual(['reset', 'push.added', 'camera.removed']);
  for (const query of ['?types=nothing', '?camera=a%20b', '?stats=yes', '?lastEventId=x', '?other=1']) {
    const response = await fetch(`${test.base}/v1/events${query}`);
    expect(response.status, query).toBe(400);
    expect(await response.json()).toMatchObject({ code: 'INVALID_REQUEST' });
  }
});

it('tells what a backend is seen to do, and of a target that stays away only once', async () => {
  await call('POST', '/v1/cameras', { name: 'gate' });
  await call('POST', '/v1/cameras/gate/pushes', { id: 'p', url: 'rtmp://h.invalid/live/x' });
  const reader = follow('?camera=gate');
  await reader.until('reset');
  const failed = { code: 'TARGET_REFUSED', message: 'nothing listens there', at: '2026-01-01T00:00:00.000Z' } as const;
  const show = (state: 'connecting' | 'waiting' | 'active', attempt: number): void =>
    observe(
      cameraSnapshot({
        name: 'gate',
        pushes: [pushSnapshot({ id: 'p', state, attempt, lastError: attempt > 0 ? failed : null })],
      }),
    );
  show('connecting', 0);
  expect((await reader.until('camera.live')).data).toMatchObject({ camera: 'gate', publisher: '127.0.0.1:5' });
  show('waiting', 1);
  const waiting = await reader.until('push.state', 2);
  expect(waiting.data).toMatchObject({ state: 'waiting', from: 'connecting', code: 'TARGET_REFUSED', attempt: 1 });
  expect(waiting.data.reason).toBe('nothing listens there');
  show('connecting', 1);
  await new Promise((resolve) => setTimeout(resolve, 1300));
  show('waiting', 2);
  await new Promise((resolve) => setTimeout(resolve, 1300));
  show('active', 0);
  expect((await reader.until('push.state', 3)).data).toMatchObject({ state: 'active', from: 'waiting', code: null });
  observe(cameraSnapshot({ name: 'gate', live: false }));
  await reader.until('camera.stopped');
  const states = reader.of('push.state').map(({ data }) => data.state);
  expect(states).toEqual(['connecting', 'waiting', 'active']);
});

it('sends figures of live cameras to those who ask: all at first, then what changed', async () => {
  for (const name of ['gate', 'yard', 'dark']) await call('POST', '/v1/cameras', { name });
  const pushes = [pushSnapshot({ id: 'p', queueBytes: 5 })];
  observe(cameraSnapshot({ name: 'gate', bitrateInBps: 100, frameRate: 25, pushes }));
  observe(cameraSnapshot({ name: 'yard' }));
  const silent = follow();
  await silent.until('camera.live', 2).catch(() => {}); // it may have come after that
  const reader = follow('?stats=1&camera=gate');
  const first = await reader.until('stats');
  const cameras = (seen: Seen): Record<string, unknown> => seen.data.cameras as Record<string, unknown>;
  expect(Object.keys(cameras(first))).toEqual(['gate']);
  expect(cameras(first).gate).toMatchObject({ bitrateInBps: 100, frameRate: 25, pushes: { p: { queueBytes: 5 } } });
  expect(first.id).toBeUndefined();
  observe(cameraSnapshot({ name: 'gate', bitrateInBps: 101, frameRate: 25, pushes }));
  const second = await reader.until('stats', reader.of('stats').length + 1);
  expect(cameras(second)).toEqual({ gate: { bitrateInBps: 101 } });
  observe(cameraSnapshot({ name: 'gate', live: false }));
  await waitFor(() => reader.of('stats').some((seen) => cameras(seen).gate === null), { what: 'the end of gate' });
  expect(silent.of('stats')).toEqual([]);
});

it('cuts off who reads nothing, and keeps telling the others', async () => {
  const stuck = follow();
  const reader = follow();
  await Promise.all([stuck.until('reset'), reader.until('reset')]);
  stuck.response?.pause();
  const before = process.memoryUsage().rss;
  // 4 MB may wait, and the kernel takes some.
  const reason = 'x'.repeat(400);
  for (let sent = 1000; sent <= 30_000; sent += 1000) {
    for (let i = 0; i < 1000; i++) {
      test.control.feed.publish({ type: 'camera.stopped', camera: 'gate', facts: { reason } });
    }
    await reader.until('camera.stopped', sent);
  }
  stuck.response?.resume();
  await waitFor(() => stuck.ended, { what: 'the stuck reader to be cut off' });
  expect(reader.ended).toBe(false);
  test.control.feed.publish({ type: 'camera.live', camera: 'gate' });
  await reader.until('camera.live');
  expect(process.memoryUsage().rss - before).toBeLessThan(250e6);
});

it('ends with the API, and does not hold it up', async () => {
  const reader = follow();
  await reader.until('reset');
  const startedAt = performance.now();
  await test.api.close();
  expect(performance.now() - startedAt).toBeLessThan(5000);
  await waitFor(() => reader.ended, { what: 'the end' });
});

it('is described type by type in docs/events.md', () => {
  const text = readFileSync(new URL('../../docs/events.md', import.meta.url), 'utf8');
  const rows = [...text.matchAll(/^\| `([a-z]+\.[a-z]+)` \|/gm)].map(([, type]) => type);
  expect(rows).toEqual([...eventTypes]);
});
