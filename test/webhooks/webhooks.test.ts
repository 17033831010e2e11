import { createHmac } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { EventFeed } from '../../src/events/event-feed.js';
import { silentLogger } from '../../src/log/log.js';
import type { WebhookTiming } from '../../src/webhooks/receiver.js';
import { Webhooks } from '../../src/webhooks/webhooks.js';
import { waitFor } from '../support/wait.js';

const key = Buffer.from('00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff', 'hex');
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  while (cleanups.length > 0) await cleanups.pop()?.();
});

interface Got {
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  readonly event: Record<string, unknown>;
}

/** A receiver that answers as the test says. */
class Receiver {
  readonly got: Got[] = [];
  open = 0;
  mostOpen = 0;
  answer: (got: Got, response: ServerResponse) => void = (_, response) => response.end();
  readonly #server: Server = createServer((request, response) => {
    this.open++;
    this.mostOpen = Math.max(this.mostOpen, this.open);
    response.once('close', () => this.open--);
    let body = '';
    request.setEncoding('utf8');
    request.on('data', (text: string) => {
      body += text;
    });
    request.on('end', () => {
      const got = { headers: request.headers, body, event: JSON.parse(body) as Record<string, unknown> };
      this.got.push(got);
      this.answer(got, response);
    });
  });

  async listen(port = 0): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(port, '127.0.0.1', resolve));
    cleanups.push(() => this.close());
    return (this.#server.address() as AddressInfo).port;
  }

  close(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  of(camera: string): unknown[] {
    return this.got.filter(({ event }) => event.camera === camera).map(({ event }) => event.number);
  }
}

const start = (port: number, timing: Partial<WebhookTiming> = {}, types?: readonly string[]) => {
  const feed = new EventFeed();
  const urls = [`http://127.0.0.1:${port}/hook`];
  const quick = { timeoutMs: 5000, retryMinMs: 20, retryMaxMs: 200, ...timing };
  const webhooks = new Webhooks({ urls, types, key, feed, log: silentLogger, timing: quick });
  webhooks.start();
  cleanups.push(() => webhooks.close());
  const tell = (camera: string, number: number): void =>
    feed.publish({ type: 'camera.live', camera, facts: { number } });
  return { feed, webhooks, tell, view: () => webhooks.views[0]! };
};

it('sends each event once, signed as Standard Webhooks says', async () => {
  const receiver = new Receiver();
  const { feed, tell, view } = start(await receiver.listen());
  const nowSeconds = Date.now() / 1000;
  tell('gate', 1);
  await waitFor(() => view().delivered === 1, { what: 'the delivery' });
  const [{ headers, body, event }] = receiver.got as [Got];
  expect(event).toMatchObject({ type: 'camera.live', camera: 'gate', number: 1, id: feed.newestId });
  const id = headers['webhook-id'];
  const timestamp = headers['webhook-timestamp'];
  expect(id).toBe(`event-${feed.newestId}`);
  expect(Math.abs(Number(timestamp) - nowSeconds)).toBeLessThan(60);
  const expected = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64');
  expect(headers['webhook-signature']).toBe(`v1,${expected}`);
  expect(headers['content-type']).toBe('application/json');
  expect(headers['webhook-dropped']).toBeUndefined();
  expect(receiver.got.length).toBe(1);
});

it('keeps the order of each camera through failures, whatever fails, with one id for all tries', async () => {
  const receiver = new Receiver();
  const tries = new Map<string, string[]>();
  const taken: Got[] = [];
  receiver.answer = (got, response) => {
    const id = String(got.headers['webhook-id']);
    tries.set(id, [...(tries.get(id) ?? []), String(got.headers['webhook-timestamp'])]);
    if (Math.random() < 0.3) response.writeHead(500).end('no');
    else if (Math.random() < 0.1) response.destroy();
    else {
      taken.push(got);
      response.end('yes');
    }
  };
  const { tell, view } = start(await receiver.listen(), { retryMinMs: 5, retryMaxMs: 10 });
  for (let number = 0; number < 20; number++) for (const camera of ['a', 'b', 'c']) tell(camera, number);
  await waitFor(() => view().delivered === 60, { what: 'all deliveries', timeoutMs: 20_000 });
  for (const camera of ['a', 'b', 'c']) {
    const numbers = taken.filter(({ event }) => event.camera === camera).map(({ event }) => event.number);
    expect(numbers).toEqual(Array.from({ length: 20 }, (_, i) => i));
  }
  expect(tries.size).toBe(60);
  expect(view().failures).toBeGreaterThan(0);
  expect(view()).toMatchObject({ state: 'ready', waiting: 0, dropped: { full: 0, expired: 0, refused: 0 } });
});

it('goes side by side for different cameras, eight at most, and one at a time for one camera', async () => {
  const receiver = new Receiver();
  receiver.answer = (_, response) => setTimeout(() => response.end(), 50);
  const { tell, view } = start(await receiver.listen());
  for (let i = 0; i < 40; i++) tell(`camera-${i % 20}`, i);
  await waitFor(() => view().delivered === 40, { what: 'all deliveries' });
  expect(receiver.mostOpen).toBe(8);
  receiver.mostOpen = 0;
  for (let i = 0; i < 5; i++) tell('one', i);
  await waitFor(() => view().delivered === 45, { what: 'all deliveries' });
  expect(receiver.mostOpen).toBe(1);
});

it('a receiver that is away costs a bounded queue; what was dropped is told when it is back', async () => {
  const receiver = new Receiver();
  const port = await receiver.listen();
  await receiver.close();
  const { tell, view } = start(port, { maxWaiting: 10 });
  for (let i = 0; i < 25; i++) tell('gate', i);
  await waitFor(() => view().failures > 2, { what: 'some tries' });
  expect(view()).toMatchObject({ state: 'waiting', waiting: 10, dropped: { full: 15 } });
  expect(view().lastError?.message).toBe('ECONNREFUSED');
  const back = new Receiver();
  await back.listen(port);
  await waitFor(() => view().waiting === 0, { what: 'what waited' });
  expect(back.of('gate')).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect(back.got.map(({ headers }) => headers['webhook-dropped'])).toEqual(['15', ...new Array(9).fill(undefined)]);
  tell('gate', 25);
  await waitFor(() => view().delivered === 11, { what: 'what comes after' });
  expect(view().state).toBe('ready');
});

it('one that hangs is given up after its deadline, tried with a single event, and served again', async () => {
  const receiver = new Receiver();
  let hangs = true;
  receiver.answer = (_, response) => {
    if (!hangs) response.end();
  };
  const { tell, view } = start(await receiver.listen(), { timeoutMs: 200 });
  for (let i = 0; i < 20; i++) tell(`camera-${i}`, i);
  await waitFor(() => receiver.got.length === 8, { what: 'the first tries' });
  await waitFor(() => receiver.got.length >= 10, { what: 'further tries' });
  expect(view()).toMatchObject({ state: 'waiting', lastError: { message: 'no answer within 0.2 s' } });
  receiver.mostOpen = receiver.open;
  await waitFor(() => receiver.got.length >= 12, { what: 'further tries' });
  expect(receiver.mostOpen).toBeLessThanOrEqual(2);
  hangs = false;
  await waitFor(() => view().delivered === 20, { what: 'all deliveries' });
});

it('what is refused for good is not tried again, and holds up nothing; redirects are refused', async () => {
  const receiver = new Receiver();
  const elsewhere = new Receiver();
  const other = await elsewhere.listen();
  receiver.answer = ({ event }, response) => {
    if (event.number === 1) response.writeHead(400).end();
    else if (event.number === 2) response.writeHead(307, { location: `http://127.0.0.1:${other}/` }).end();
    else response.end();
  };
  const { tell, view } = start(await receiver.listen());
  for (let i = 0; i < 4; i++) tell('gate', i);
  await waitFor(() => view().waiting === 0, { what: 'the end' });
  expect(receiver.of('gate')).toEqual([0, 1, 2, 3]);
  expect(elsewhere.got).toEqual([]);
  expect(view()).toMatchObject({ delivered: 2, dropped: { refused: 2 }, failures: 0 });
});

it('waits as long as the receiver asks for, and drops what is too old', async () => {
  const receiver = new Receiver();
  receiver.answer = (_, response) => response.writeHead(429, { 'retry-after': '2' }).end();
  const { tell, view } = start(await receiver.listen(), { maxAgeMs: 500 });
  tell('gate', 1);
  await waitFor(() => view().failures === 1, { what: 'the first try' });
  expect(Date.parse(view().nextRetryAt ?? '') - Date.now()).toBeGreaterThan(1000);
  receiver.answer = (_, response) => response.end();
  await waitFor(() => view().dropped.expired === 1, { what: 'the event to be too old' });
  tell('gate', 2);
  await waitFor(() => view().delivered === 1, { what: 'the next event' });
  expect(receiver.of('gate')).toEqual([1, 2]);
});

it('sends only the types that are wanted, and stops when it is closed', async () => {
  const receiver = new Receiver();
  const { feed, webhooks, view } = start(await receiver.listen(), {}, ['problem', 'camera.stopped']);
  feed.publish({ type: 'camera.live', camera: 'gate' });
  feed.publish({ type: 'problem.raised', facts: { message: 'x' } });
  feed.publish({ type: 'camera.stopped', camera: 'gate' });
  await waitFor(() => view().delivered === 2, { what: 'both' });
  expect(receiver.got.map(({ event }) => event.type).sort()).toEqual(['camera.stopped', 'problem.raised']);
  webhooks.close();
  feed.publish({ type: 'camera.stopped', camera: 'gate' });
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(receiver.got.length).toBe(2);
});
