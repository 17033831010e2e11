import { closeSync, openSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { IdleConnections } from '../../src/api/idle-connections.js';
import { silentLogger } from '../../src/log/log.js';
import { ConnectionLimits } from '../../src/net/connection-limits.js';
import { keptFree, OpenFiles, openFiles } from '../../src/process/open-files.js';
import { testScope } from '../support/scope.js';
import { sleep, waitFor } from '../support/wait.js';

afterEach(() => vi.restoreAllMocks());

describe('descriptors', () => {
  test.each([32, 64, 256, 1024, 65_536])('under a limit of %i, media leaves most, files get the last', (limit) => {
    let open = 0;
    const files = new OpenFiles({ limit: () => limit, open: () => open });
    const full = (use: 'media' | 'push' | 'api' | 'local'): number => {
      for (open = 0; files.hasRoomFor(use); open++);
      return open;
    };
    const [media, push, api, local] = [full('media'), full('push'), full('api'), full('local')];
    expect(media).toBeLessThan(push);
    expect(push).toBeLessThan(api);
    expect(api).toBeLessThan(local);
    expect(limit - local).toBeGreaterThanOrEqual(3);
    expect(limit - media).toBeLessThanOrEqual(Math.max(8, Math.min(128, limit / 4)));
    expect(limit - media).toBe(keptFree('media', limit));
  });

  test('the problem begins with the first refusal and ends by itself, and a limit that was raised is seen', () => {
    const clock = vi.spyOn(performance, 'now').mockReturnValue(1_000_000);
    let [open, limit] = [20, 64];
    const files = new OpenFiles({ limit: () => limit, open: () => open });
    expect(files.hasRoomFor('media')).toBe(true);
    expect(files.problem).toBe(null);
    open = 60;
    expect(files.hasRoomFor('media')).toBe(false);
    const since = files.problem?.since;
    expect(files.problem).toMatchObject({ code: 'OPEN_FILES_LIMIT', message: expect.stringContaining('60 of 64') });
    clock.mockReturnValue(1_020_000); // nobody else came, and there is no room yet
    expect(files.problem?.since).toBe(since);
    open = 20;
    clock.mockReturnValue(1_040_000);
    expect(files.problem).toBe(null);

    open = 60;
    limit = 1024;
    expect(files.hasRoomFor('media')).toBe(true);
    expect(files.figures).toMatchObject({ limit: 1024, refused: { media: 1 } });
  });

  test('are counted as they are', () => {
    const before = openFiles.figures.open;
    const opened = Array.from({ length: 10 }, () => openSync('/dev/null', 'r'));
    const after = openFiles.figures.open;
    for (const each of opened) closeSync(each);
    expect(after - before).toBeGreaterThanOrEqual(8);
    expect(openFiles.figures.limit).toBeGreaterThan(after);
  });
});

test('a connection with media is refused, and not counted, where descriptors are few', () => {
  let open = 20;
  const files = new OpenFiles({ limit: () => 64, open: () => open });
  const limits = new ConnectionLimits({ maxConnections: 100, maxConnectionsPerAddress: 100 }, silentLogger, files);
  const release = limits.admit('192.0.2.1');
  open = 63;
  expect(limits.admit('192.0.2.2')).toBe(undefined);
  expect(limits.connections).toBe(1);
  open = 20;
  expect(limits.admit('192.0.2.2')).toBeTypeOf('function');
  release?.();
});

test('a caller of the API takes the place of a connection that asks nothing, never of one that is answered', async (context) => {
  const scope = testScope(context);
  const sockets = new Set<Socket>();
  const files = new OpenFiles({ limit: () => 64, open: () => 53 + sockets.size });
  const idle = new IdleConnections(silentLogger, files);
  const server = createServer((request, response) => {
    if (request.url !== '/slow') response.end('answer');
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.on('connection', idle.admit);
  server.prependListener('request', idle.busy);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  scope.defer(() => server.closeAllConnections());
  scope.defer(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const open = (): Socket => {
    const socket = connect(port, '127.0.0.1').on('error', () => {});
    scope.defer(() => socket.destroy());
    return socket;
  };
  const slow = open();
  slow.write('GET /slow HTTP/1.1\r\nHost: a\r\n\r\n');
  await sleep(50);
  for (let i = 0; i < 20; i++) open();
  await waitFor(async () => (await fetch(`http://127.0.0.1:${port}/`)).ok, { what: 'an answer' });
  expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('answer');
  expect(slow.destroyed).toBe(false);
  expect(sockets.size).toBeLessThan(8);
});
