import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { NativeBackend } from '../../src/backend/native/native-backend.js';
import { defaultSettings } from '../../src/config/index.js';
import { silentLogger } from '../../src/log/log.js';
import { writesDirectly } from '../../src/net/direct-write.js';
import type { MediaSocket } from '../../src/net/media-socket.js';
import { acceptedSocket, connectSocket, streamSocket } from '../../src/net/node-socket.js';
import type { SocketMode } from '../../src/net/settings.js';
import { onAfterRead, takesHandles } from '../../src/net/shared-read.js';
import { prepareSockets } from '../../src/net/socket-way.js';
import { until } from '../push/targets.js';

interface End {
  readonly socket: MediaSocket;
  readonly events: string[];
  /** Copies of what came. */
  readonly read: Buffer[];
  /** Where it lay. */
  readonly memory: ArrayBufferLike[];
}

/** Notes what happens to a socket. */
function watch(socket: MediaSocket): End {
  const end: End = { socket, events: [], read: [], memory: [] };
  socket.listen({
    onConnected: () => end.events.push('connected'),
    onData: (data) => {
      end.read.push(Buffer.from(data));
      end.memory.push(data.buffer);
    },
    onDrain: () => end.events.push('drain'),
    onEnd: () => end.events.push('end'),
    onError: ({ code }) => end.events.push(`error ${code}`),
    onClose: () => end.events.push('close'),
  });
  return end;
}

const bytesOf = ({ read }: End): number => read.reduce((sum, { length }) => sum + length, 0);

/** The name of the function that is told of each read. */
function readerOf(socket: MediaSocket): unknown {
  const { _handle: handle } = Reflect.get(socket, 'socket') as { _handle: { onread: { name: string } } };
  return handle.onread.name;
}

const directly = (socket: Socket): MediaSocket => acceptedSocket(socket, 'direct');
const plainly = (socket: Socket): MediaSocket => acceptedSocket(socket, 'plain');
/** As a publisher's, which is read by the ring too. */
const byRing = (socket: Socket): MediaSocket => {
  const accepted = acceptedSocket(socket, 'uring');
  accepted.readLargely?.();
  return accepted;
};

beforeAll(async () => {
  expect(await prepareSockets('uring')).toEqual({ mode: 'uring', why: null });
});

let server: Server | undefined;
const ends: End[] = [];
afterEach(async () => {
  for (const { socket } of ends.splice(0)) socket.destroy();
  server?.close();
});

/** Both ends of a connection. @param accept makes a socket of what the server accepted */
async function pair(
  accept: (socket: Socket) => MediaSocket = directly,
  mode: SocketMode = 'direct',
): Promise<{ near: End; far: End }> {
  const accepted: End[] = [];
  server = createServer({ pauseOnConnect: accept !== streamSocket }, (socket) => accepted.push(watch(accept(socket))));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const near = watch(connectSocket({ host: '127.0.0.1', port }, undefined, mode));
  await until(() => accepted.length === 1 && near.events.includes('connected'), 20_000, 'a connection');
  const [far] = accepted;
  if (far === undefined) throw new Error('nothing was accepted');
  ends.push(near, far);
  return { near, far };
}

describe('sockets', () => {
  it('read into one buffer, accepted ones too, with this version of Node.js', async () => {
    expect(takesHandles).toBe(true);
    expect(writesDirectly).toBe(true);
    const { near, far } = await pair();
    near.socket.write(Buffer.from('to the far side'));
    far.socket.write(Buffer.from('to the near side'));
    await until(() => near.read.length > 0 && far.read.length > 0, 20_000, 'bytes in both directions');
    expect(Buffer.concat(far.read).toString()).toBe('to the far side');
    expect(Buffer.concat(near.read).toString()).toBe('to the near side');
    expect(far.memory[0]).toBe(near.memory[0]);
    for (const { socket } of [near, far]) expect(readerOf(socket)).not.toBe('onStreamRead'); // which is Node's
    expect(far.socket.bytesRead).toBe(15);
    expect(near.socket.bytesWritten).toBe(15);
    expect(far.socket.remotePort).toBeGreaterThan(0);
  });

  it('give the bytes of a read until their reader returns, and not longer', async () => {
    const kept: Buffer[] = [];
    onAfterRead((data) => {
      kept.push(data);
      data.fill(0);
    });
    const { near, far } = await pair();
    near.socket.write(Buffer.from('short'));
    await until(() => far.read.length > 0, 20_000, 'bytes');
    expect(far.read[0]?.toString()).toBe('short');
    expect(kept[0]).toEqual(Buffer.alloc(5));
  });

  it.each([
    ['accepted ones', directly],
    ['streams', streamSocket],
    ['plain ones', plainly],
    ['by io_uring', byRing],
  ])('carry much in order, and tell when they drained: %s', async (_what, accept) => {
    const { near, far } = await pair(accept, accept === plainly ? 'plain' : 'direct');
    const blocks = Array.from({ length: 200 }, (_, i) => Buffer.alloc(50_000, i));
    let more = true;
    for (const block of blocks) more = far.socket.write(block);
    expect(more).toBe(false);
    expect(far.socket.bytesWritten).toBe(10_000_000);
    expect(far.socket.pendingBytes).toBeGreaterThan(0);
    expect(far.events).not.toContain('drain');
    await until(() => bytesOf(near) === 10_000_000, 20_000, 'all of it');
    await until(() => far.events.includes('drain'), 20_000, 'the drain');
    expect(far.socket.pendingBytes).toBe(0);
    expect(far.events).toEqual(['drain']);
    expect(Buffer.concat(near.read).equals(Buffer.concat(blocks))).toBe(true);
  });

  it('read into memory of their own where they are to be plain', async () => {
    let shared = 0;
    onAfterRead(() => {
      shared += 1;
    });
    const { near, far } = await pair(plainly, 'plain');
    near.socket.write(Buffer.alloc(70_000, 1));
    far.socket.write(Buffer.alloc(70_000, 2));
    await until(() => bytesOf(near) === 70_000 && bytesOf(far) === 70_000, 20_000, 'bytes in both directions');
    expect(shared).toBe(0);
    for (const { socket } of [near, far]) expect(readerOf(socket)).toBe('onStreamRead');
    expect(new Set([...near.memory, ...far.memory]).size).toBeGreaterThan(1);
    expect(Reflect.get(Reflect.get(far.socket, 'socket'), 'bytesWritten')).toBe(70_000); // Node's stream knows of them
  });

  it('give what came since they were paused to who goes on with them: plain ones', async () => {
    const { near, far } = await pair(plainly, 'plain');
    far.socket.pause();
    near.socket.write(Buffer.from('read by the next'));
    await until(() => far.socket.bytesRead === 16, 20_000, 'bytes behind the pause');
    expect(far.read).toEqual([]);
    expect(far.socket.abandon()!.toString()).toBe('read by the next');
    expect(far.read).toEqual([]);
  });

  it.each([
    ['direct', pair],
    ['plain', () => pair(plainly, 'plain')],
    ['uring', () => pair(byRing, 'uring')],
  ])('lose nothing on its way to a peer that said its last word: %s', async (_mode, connected) => {
    const { near, far } = await connected();
    near.socket.pause();
    far.socket.write(Buffer.alloc(20_000_000, 7));
    near.socket.end();
    await until(() => far.events.includes('end'), 5000, "the peer's end");
    await new Promise(setImmediate);
    expect(far.socket.write(Buffer.alloc(1))).toBe(false);
    near.socket.resume();
    await until(() => near.events.includes('close') && far.events.includes('close'), 20_000, 'the end');
    expect(bytesOf(near)).toBe(20_000_000);
    expect(far.events.filter((event) => event.startsWith('error'))).toEqual([]);
  });

  it.each([
    ['direct', pair],
    ['plain', () => pair(plainly, 'plain')],
    ['uring', () => pair(byRing, 'uring')],
  ])('end behind what was written, on both sides: %s', async (_mode, connected) => {
    const { near, far } = await connected();
    far.socket.write(Buffer.alloc(5_000_000, 7));
    far.socket.end();
    expect(far.socket.write(Buffer.alloc(1))).toBe(false); // comes too late, and hurts nothing
    await until(() => near.events.includes('close') && far.events.includes('close'), 20_000, 'the end');
    expect(bytesOf(near)).toBe(5_000_000);
    expect(near.events).toEqual(['connected', 'end', 'close']);
    expect(far.events.at(-1)).toBe('close');
    expect(far.socket.destroyed).toBe(true);
  });

  it.each([
    ['direct', pair],
    ['plain', () => pair(plainly, 'plain')],
    ['uring', () => pair(byRing, 'uring')],
  ])('say what went wrong, and are gone then: %s', async (_mode, connected) => {
    const { near, far } = await connected();
    far.socket.write(Buffer.alloc(5_000_000)); // unread: the close becomes a reset
    near.socket.destroy();
    await until(() => far.events.includes('close'), 20_000, 'the reset');
    expect(far.events.some((event) => /^error (ECONNRESET|EPIPE)$/.test(event) || event === 'end')).toBe(true);
    expect(far.events.filter((event) => event === 'close')).toHaveLength(1);
  });

  it('are told when nothing listens', async () => {
    const holder = createServer().listen(0, '127.0.0.1');
    await once(holder, 'listening');
    const { port } = holder.address() as AddressInfo;
    await new Promise((resolve) => holder.close(resolve));
    const end = watch(connectSocket({ host: '127.0.0.1', port }, undefined, 'uring'));
    expect(end.socket.constructor.name).toBe('RingSocket');
    await until(() => end.events.includes('close'), 20_000, 'the refusal');
    expect(end.events).toEqual(['error ECONNREFUSED', 'close']);
  });

  it('of a server do not hold up its close', async () => {
    const { near, far } = await pair();
    await new Promise((resolve) => server?.close(resolve));
    near.socket.write(Buffer.from('still there'));
    await until(() => far.read.length > 0, 20_000, 'bytes of a connection that outlives its listener');
  });

  it.each<SocketMode>(['direct', 'uring'])(
    'ended the process when a reader made room in the middle of a write: %s',
    async (mode) => {
      // A thread of its own: only then may the kernel refuse a write, and take it a microsecond later.
      const reader = new Worker(
        `const { parentPort } = require('node:worker_threads');
       const server = require('node:net').createServer((socket) => socket.on('data', () => {}).on('error', () => {}));
       server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));`,
        { eval: true },
      );
      const [port] = (await once(reader, 'message')) as [number];
      let drains = 0;
      const sockets = [30_000, 50_000, 70_000, 90_000].map((bytes) => {
        const socket = connectSocket({ host: '127.0.0.1', port }, undefined, mode);
        const data = Buffer.alloc(bytes);
        const pump = (): void => {
          for (let i = 0; i < 50; i++) if (!socket.write(data)) return;
          setImmediate(pump);
        };
        const onDrain = (): void => {
          drains++;
          pump();
        };
        socket.listen({ onConnected: pump, onData() {}, onDrain, onEnd() {}, onError() {}, onClose() {} });
        return socket;
      });
      // Each drain may be the one; a busy machine has fewer of them.
      const endMs = performance.now() + 20_000;
      await until(() => drains > 1500 || (drains > 100 && performance.now() > endMs), 80_000, 'drains');
      for (const socket of sockets) socket.destroy();
      await reader.terminate();
    },
    90_000,
  );
});

it.each<[SocketMode, boolean]>([
  ['auto', true],
  ['direct', true],
  ['plain', false],
])('the backend takes the setting for those who come and for targets: %s', async (socketMode, isShared) => {
  const media = { ...defaultSettings().media, socketMode };
  const backend = new NativeBackend({ settings: { host: '127.0.0.1', rtmpPort: 0, media }, log: silentLogger });
  const target = createServer((socket) => socket.end('no RTMP').on('error', () => {}));
  target.listen(0, '127.0.0.7');
  await once(target, 'listening');
  await backend.start();
  try {
    let shared = 0;
    onAfterRead(() => {
      shared += 1;
    });
    expect(await backend.probe(5000)).toBe(true);
    expect(shared > 0).toBe(isShared);
    shared = 0;
    await backend.testTarget(`rtmp://127.0.0.7:${(target.address() as AddressInfo).port}/live/x`);
    expect(shared > 0).toBe(isShared);
  } finally {
    await backend.stop(1000);
    target.close();
  }
});
