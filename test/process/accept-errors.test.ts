import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { Listener } from '../../src/api/listener.js';
import { type Logger, silentLogger } from '../../src/log/log.js';
import { listenOn } from '../../src/net/listen.js';
import { watchAccepts } from '../../src/process/accept-errors.js';
import { targetErrorOf } from '../../src/rtmp/target-error.js';

function recorder() {
  const lines: string[] = [];
  const write = (level: string) => (message: string) => void lines.push(`${level} ${message}`);
  const log: Logger = { ...silentLogger, error: write('error'), info: write('info'), child: () => log };
  return { log, lines };
}

/** As Node tells of an accept that failed. */
function failAccept(server: Server, code: string): void {
  server.emit('error', Object.assign(new Error(`accept ${code}`), { code, syscall: 'accept' }));
}

async function connectOnce(server: Server): Promise<void> {
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  await once(server, 'connection');
  socket.destroy();
}

it.each(['ENFILE', 'ENOMEM', 'ENOBUFS', 'EMFILE'])(
  'the RTMP listener says once that it cannot accept (%s), and when it can again',
  async (code) => {
    const { log, lines } = recorder();
    const server = createServer((socket) => socket.destroy());
    onTestFinished(() => void server.close());
    await listenOn(server, '127.0.0.1', 0, log);
    for (let times = 0; times < 10_000; times++) failAccept(server, code);
    expect(lines).toEqual(['error the RTMP listener cannot accept new connections; open ones are not affected']);
    await connectOnce(server);
    expect(lines.slice(1)).toEqual(['info the RTMP listener accepts connections again']);
    // One that comes and goes is no reason for lines without end.
    for (let times = 0; times < 50; times++) {
      failAccept(server, code);
      await connectOnce(server);
    }
    expect(lines).toHaveLength(2);
  },
);

it('the API goes on when it cannot accept, which ended the process', async () => {
  const { log, lines } = recorder();
  const listener = new Listener({}, log);
  const server = listener.create((_request, response) => response.end('here'));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
    listener.close();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  failAccept(server, 'ENFILE');
  const { port } = server.address() as AddressInfo;
  expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('here');
  expect(lines.map((line) => line.split(' ')[0])).toEqual(['error', 'info']);
});

it('leaves what happens before it listens to whoever opens it', () => {
  const { log, lines } = recorder();
  const server = createHttpServer();
  watchAccepts(server, 'the listener', log);
  failAccept(server, 'EADDRINUSE');
  expect(lines).toEqual([]);
});

it.each(['ENOMEM', 'ENOBUFS'])('a connection for which the machine has no memory (%s) is told as that', (code) => {
  const error = targetErrorOf(Object.assign(new Error(`connect ${code}`), { code }), 'engine:1935', 'tcp');
  expect(error.code).toBe('TARGET_UNREACHABLE');
  expect(error.message).toBe(`this machine has no memory for a connection to engine:1935 now (${code})`);
});
