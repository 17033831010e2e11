import { createServer, type RequestListener, type Server } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { Announcer, type AnnouncerTiming } from '../../src/announce/announcer.js';
import type { Logger } from '../../src/log/log.js';
import { freePort } from '../support/ports.js';
import { type Scope, testScope } from '../support/scope.js';
import { sleep, waitFor } from '../support/wait.js';

/** Quick, so that failures are over soon; the order of things is what is tested. */
const quick: AnnouncerTiming = { timeoutMs: 300, retryMinMs: 10, retryMaxMs: 60, checkIntervalMs: 10 };

interface Request {
  readonly method: string;
  readonly url: string;
  readonly type: string | undefined;
  readonly body: unknown;
}

/** A content manager that does what it is told, and keeps what it was asked. */
async function contentManager(scope: Scope, answer: RequestListener, port = 0) {
  const requests: Request[] = [];
  const server: Server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const { method = '', url = '', headers } = request;
      requests.push({ method, url, type: headers['content-type'], body: JSON.parse(Buffer.concat(parts).toString()) });
      answer(request, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  scope.defer(() => {
    server.closeAllConnections();
    server.close();
  });
  return { requests, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

/** Raw bytes in place of HTTP. */
async function tcpServer(scope: Scope, onSocket: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    onSocket(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  scope.defer(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

interface TestAnnouncer {
  readonly announcer: Announcer;
  readonly lines: string[];
  readonly at: { address: string };
}

function announce(scope: Scope, url: string, timing: Partial<AnnouncerTiming> = {}): TestAnnouncer {
  const lines: string[] = [];
  const log: Logger = {
    debug: () => {},
    info: (message) => void lines.push(`info ${message}`),
    warn: (message) => void lines.push(`warn ${message}`),
    error: (message) => void lines.push(`error ${message}`),
    child: () => log,
  };
  const at = { address: '10.0.0.1:5000' };
  const announcer = new Announcer({
    contentManager: url,
    name: 'ma-1',
    location: 'stadium',
    address: () => at.address,
    log,
    timing: { ...quick, ...timing },
  });
  scope.defer(() => announcer.close());
  announcer.start();
  return { announcer, lines, at };
}

function accepted({ announcer }: TestAnnouncer): Promise<true> {
  return waitFor(() => announcer.view.state === 'accepted', { what: 'the announcement to be accepted' });
}

const ok: RequestListener = (_, response) => void response.end('{"ok": true}');

describe('the announcement', () => {
  test('is what the content manager expects, and comes once', async (context) => {
    const scope = testScope(context);
    const manager = await contentManager(scope, ok);
    const each = announce(scope, manager.url);
    await accepted(each);
    await sleep(100);
    expect(manager.requests).toEqual([
      {
        method: 'POST',
        url: '/configure',
        type: 'application/json',
        body: {
          Aggregators: [{ name: 'ma-1', location: 'stadium', ip: '10.0.0.1:5000' }],
          StreamingEngines: [],
        },
      },
    ]);
    expect(each.announcer.view).toMatchObject({
      url: `${manager.url}/configure`,
      address: '10.0.0.1:5000',
      attempt: 0,
      lastError: null,
      nextRetryAt: null,
    });
    expect(each.lines).toEqual(['info the content manager knows this aggregator']);
  });

  test('goes below the path of the URL, and has a location where none is set', async (context) => {
    const scope = testScope(context);
    const manager = await contentManager(scope, ok);
    const { log } = silent();
    const options = { name: 'n', location: undefined, address: () => 'h:1', log, timing: quick };
    const announcer = new Announcer({ contentManager: `${manager.url}/cms`, ...options });
    scope.defer(() => announcer.close());
    announcer.start();
    await waitFor(() => manager.requests.length > 0, { what: 'the request' });
    expect(manager.requests).toMatchObject([
      { url: '/cms/configure', body: { Aggregators: [{ location: 'default', ip: 'h:1' }] } },
    ]);
  });

  test('arrives when a content manager that was down comes up', async (context) => {
    const scope = testScope(context);
    const port = await freePort();
    const each = announce(scope, `http://127.0.0.1:${port}`);
    await waitFor(() => each.announcer.view.attempt >= 3, { what: 'three failures' });
    const { state, lastError } = each.announcer.view;
    expect(state).not.toBe('accepted');
    expect(lastError).toMatchObject({
      code: 'CONTENT_MANAGER_UNREACHABLE',
      message: expect.stringContaining('ECONNREFUSED'),
    });
    const manager = await contentManager(scope, ok, port);
    await accepted(each);
    expect(manager.requests).toHaveLength(1);
    expect(each.announcer.view).toMatchObject({ attempt: 0, lastError: null });
    // One line for all failures of a kind, one for the end of it.
    expect(each.lines).toEqual([
      'warn the content manager did not accept the announcement; it is retried',
      'info the content manager knows this aggregator',
    ]);
  });

  test('arrives after 500, 404 and a redirect, which is not followed', async (context) => {
    const scope = testScope(context);
    const elsewhere = await contentManager(scope, ok);
    const statuses = [500, 404, 302, 307, 200];
    let next = 0;
    const manager = await contentManager(scope, (_, response) => {
      const status = statuses[next++] ?? 200;
      response.writeHead(status, { location: `${elsewhere.url}/configure` }).end('no');
    });
    const each = announce(scope, manager.url);
    await waitFor(() => each.announcer.view.lastError?.message.includes('redirects are not followed'), {
      what: 'the redirect',
    });
    expect(each.announcer.view.lastError?.code).toBe('CONTENT_MANAGER_REFUSED');
    await accepted(each);
    expect(manager.requests).toHaveLength(5);
    expect(elsewhere.requests).toEqual([]);
    // Each kind of failure is said once.
    expect(each.lines.filter((line) => line.startsWith('warn'))).toHaveLength(4);
  });

  test('one that takes requests and never answers costs one connection at a time', async (context) => {
    const scope = testScope(context);
    let open = 0;
    let most = 0;
    let answers = false;
    let connections = 0;
    const url = await tcpServer(scope, (socket) => {
      connections += 1;
      open += 1;
      most = Math.max(most, open);
      socket.once('close', () => {
        open -= 1;
      });
      socket.resume();
      if (answers) socket.end('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
    });
    const each = announce(scope, url, { timeoutMs: 50 });
    await waitFor(() => connections >= 3, { what: 'three tries' });
    expect(each.announcer.view.lastError?.message).toContain('no answer within 50 ms');
    answers = true;
    await accepted(each);
    expect(most).toBe(1);
  });

  test.each([
    ['nothing', ''],
    ['another protocol', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['zeros', '\0'.repeat(10_000)],
    ['no status', 'HTTP/1.1 \r\n\r\n'],
    ['headers without end', `HTTP/1.1 200 OK\r\n${'x: y\r\n'.repeat(50_000)}`],
  ])('garbage is a failure like any other: %s', async (_, bytes) => {
    const scope = new (await import('../support/scope.js')).Scope();
    try {
      let isWell = false;
      const url = await tcpServer(scope, (socket) => {
        socket.resume();
        socket.end(isWell ? 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n' : bytes);
      });
      const each = announce(scope, url);
      await waitFor(() => each.announcer.view.attempt >= 2, { what: 'two failures' });
      expect(each.announcer.view.lastError?.code).toBe('CONTENT_MANAGER_UNREACHABLE');
      isWell = true;
      await accepted(each);
    } finally {
      await scope.close();
    }
  });

  test('a body without end is cut off, and the announcement is accepted all the same', async (context) => {
    const scope = testScope(context);
    let sent = 0;
    let closed = false;
    const manager = await contentManager(scope, (_, response) => {
      const timer = setInterval(() => {
        sent += 16_384;
        response.write(Buffer.alloc(16_384));
      }, 1);
      response.once('close', () => {
        clearInterval(timer);
        closed = true;
      });
    });
    const each = announce(scope, manager.url, { timeoutMs: 10_000 });
    await accepted(each);
    await waitFor(() => closed, { what: 'the connection to be closed' });
    expect(sent).toBeLessThan(64 << 20);
    expect(each.announcer.view.state).toBe('accepted');
  });

  test('comes again when the address changes, also in the middle of a try', async (context) => {
    const scope = testScope(context);
    let hold = false;
    const manager = await contentManager(scope, (request, response) => {
      if (!hold) ok(request, response);
    });
    const each = announce(scope, manager.url, { timeoutMs: 60_000 });
    await accepted(each);
    hold = true;
    each.at.address = '10.0.0.2:5000';
    await waitFor(() => manager.requests.length === 2, { what: 'the second announcement' });
    expect(each.announcer.view).toMatchObject({ state: 'announcing', address: '10.0.0.2:5000' });
    hold = false;
    each.at.address = '10.0.0.3:5000';
    await accepted(each);
    const ips = manager.requests.map(({ body }) => (body as { Aggregators: { ip: string }[] }).Aggregators[0]?.ip);
    expect(ips).toEqual(['10.0.0.1:5000', '10.0.0.2:5000', '10.0.0.3:5000']);
    expect(each.lines.filter((line) => line.includes('has changed'))).toHaveLength(2);
  });

  test('waits longer after each failure, up to a limit', async (context) => {
    const scope = testScope(context);
    const port = await freePort();
    const each = announce(scope, `http://127.0.0.1:${port}`, { retryMinMs: 20, retryMaxMs: 80 });
    const waits: number[] = [];
    for (let attempt = 1; attempt <= 5; attempt += 1) {
      await waitFor(() => each.announcer.view.attempt === attempt && each.announcer.view.nextRetryAt !== null, {
        what: `failure ${attempt}`,
        intervalMs: 1,
      });
      const { lastError, nextRetryAt } = each.announcer.view;
      waits.push(Date.parse(nextRetryAt ?? '') - Date.parse(lastError?.at ?? ''));
    }
    for (const [index, longest] of [20, 40, 80, 80, 80].entries()) {
      expect(waits[index]).toBeGreaterThanOrEqual(longest / 2 - 1);
      expect(waits[index]).toBeLessThanOrEqual(longest + 20);
    }
  });

  test('ends with the aggregator, at once', async (context) => {
    const scope = testScope(context);
    let connections = 0;
    let open = 0;
    const url = await tcpServer(scope, (socket) => {
      connections += 1;
      open += 1;
      socket.resume();
      socket.once('close', () => {
        open -= 1;
      });
    });
    const each = announce(scope, url, { timeoutMs: 60_000 });
    await waitFor(() => connections === 1, { what: 'the try' });
    each.announcer.close();
    await waitFor(() => open === 0, { what: 'the connection to be closed' });
    each.at.address = '10.0.0.9:5000';
    await sleep(100);
    expect(connections).toBe(1);
    expect(each.lines).toEqual([]);
  });
});

function silent(): { log: Logger } {
  const log: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };
  return { log };
}
