import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { Listener } from '../../src/api/listener.js';
import type { SlowReaderLimits } from '../../src/api/slow-readers.js';
import { silentLogger } from '../../src/log/log.js';
import { sleep, waitFor } from '../support/wait.js';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  while (cleanups.length > 0) await cleanups.pop()?.();
});

const MB = 1024 * 1024;

async function serve(handler: RequestListener, limits: Partial<SlowReaderLimits>) {
  const listener = new Listener({}, silentLogger, { lookEveryMs: 50, ...limits });
  const server = listener.create(handler);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => {
    listener.close();
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  const { port } = server.address() as AddressInfo;
  /** Asks, and reads nothing. */
  const ask = async (localAddress = '127.0.0.1'): Promise<Socket> => {
    const socket = connect({ port, host: '127.0.0.1', localAddress });
    cleanups.push(() => void socket.destroy());
    socket.on('error', () => {});
    await once(socket, 'connect');
    socket.pause();
    socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
    return socket;
  };
  const open = (): Promise<number> =>
    new Promise((resolve) => server.getConnections((_error, count) => resolve(count)));
  return { listener, ask, open };
}

/** More than the kernel takes by itself, at once or bit by bit. */
const long: readonly [string, RequestListener][] = [
  ['an answer as a whole', (_, response) => void response.end(Buffer.alloc(32 * MB))],
  [
    'an answer without an end',
    (_, response) => {
      const timer = setInterval(() => response.write(Buffer.alloc(MB)), 2);
      response.once('close', () => clearInterval(timer));
    },
  ],
  [
    'an answer that came to its last byte in small pieces',
    (_, response) => {
      for (let piece = 0; piece < 2000; piece += 1) response.write(Buffer.alloc(16 * 1024));
    },
  ],
];

it.each(long)('who asks for %s and reads nothing is ended', async (_, handler) => {
  const { ask, open } = await serve(handler, { longestPauseMs: 400 });
  const sockets = await Promise.all([ask(), ask(), ask()]);
  await waitFor(async () => (await open()) === 0, { what: 'all to be ended' });
  expect(sockets).toHaveLength(3);
});

it('who reads slowly, or has read all and says nothing more, is left alone', async () => {
  const { ask, open } = await serve((_, response) => response.end(Buffer.alloc(32 * MB)), { longestPauseMs: 400 });
  const slow = await ask();
  let bytes = 0;
  slow.on('data', (data) => {
    bytes += data.length;
    slow.pause();
    setTimeout(() => slow.resume(), 2);
  });
  slow.resume();
  await sleep(1500);
  expect(await open()).toBe(1);
  slow.removeAllListeners('data');
  slow.on('data', (data) => {
    bytes += data.length;
  });
  slow.resume();
  await waitFor(() => bytes >= 32 * MB, { what: 'the rest' });
  await sleep(900);
  expect(await open()).toBe(1);
});

it('what waits for one address is bounded; those who take some, and other addresses, go on', async () => {
  const { ask, open } = await serve((_, response) => response.end(Buffer.alloc(12 * MB)), {
    ...{ longestPauseMs: 3000, bytesPerAddress: 20 * MB },
  });
  const other = await ask('127.0.0.2');
  const reading = await ask();
  reading.on('data', () => {
    reading.pause();
    setTimeout(() => reading.resume(), 2);
  });
  reading.resume();
  for (let count = 0; count < 6; count += 1) await ask();
  // One or two of those who read nothing fit into the share of their address.
  await waitFor(async () => (await open()) <= 4, { what: 'those that are too much to be ended', intervalMs: 10 });
  expect([other.destroyed, reading.destroyed]).toEqual([false, false]);
  expect(await open()).toBeGreaterThanOrEqual(2);
});

it('whom somebody else looks after is left to it', async () => {
  const { listener, ask, open } = await serve(
    (request, response) => {
      listener.slowReaders.leave(request.socket);
      response.end(Buffer.alloc(32 * MB));
    },
    { longestPauseMs: 200 },
  );
  await ask();
  await sleep(900);
  expect(await open()).toBe(1);
});
