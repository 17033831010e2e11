import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { expect, it } from 'vitest';
import { NativeBackend } from '../../../src/backend/native/native-backend.js';
import { defaultSettings } from '../../../src/config/index.js';
import { silentLogger } from '../../../src/log/log.js';
import type { MediaSocket } from '../../../src/net/media-socket.js';
import { acceptedSocket } from '../../../src/net/node-socket.js';
import { prepareSockets, ringsFor, socketWay } from '../../../src/net/socket-way.js';
import type { KernelCalls } from '../../../src/net/uring/kernel-calls.js';
import { until } from '../../push/targets.js';

/** The count of lost completions of each ring, in memory that the kernel shares: where it lies is among the parameters. */
function lossOf(counts: (() => void)[]): (calls: KernelCalls) => KernelCalls {
  return (calls) => {
    const params = new Map<number, Buffer>();
    return {
      ...calls,
      setUp(entries, given) {
        const fd = calls.setUp(entries, given);
        params.set(fd, given);
        return fd;
      },
      map(bytes, fd, offset) {
        const mapping = calls.map(bytes, fd, offset);
        const at = params.get(fd)?.readUInt32LE(96);
        if (at !== undefined && offset === 0)
          counts.push(() => new Uint32Array(mapping.memory).fill(1, at >> 2, (at >> 2) + 1));
        return mapping;
      },
    };
  };
}

interface End {
  readonly socket: MediaSocket;
  readonly peer: Socket;
  readonly got: Buffer[];
  readonly heard: Buffer[];
  readonly errors: (string | undefined)[];
  isClosed: boolean;
}

it('where the kernel loses what it has done, who may miss bytes is ended, and all others go on without io_uring', async () => {
  const losses: (() => void)[] = [];
  const way = await prepareSockets('uring', { faults: lossOf(losses) });
  expect(way).toEqual({ mode: 'uring', why: null });
  // As a media worker, of which the supervisor tells how it begins.
  const { media } = defaultSettings();
  const lines: string[] = [];
  const note = (message: string): void => void lines.push(message);
  const log = { ...silentLogger, info: note, warn: note, error: note };
  await new NativeBackend({ settings: { host: '', rtmpPort: 0, media }, log }).prepare(log);
  expect(lines).toEqual([]);
  const ends: End[] = [];
  const server = createServer({ pauseOnConnect: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const open = async (): Promise<End> => {
    const made = new Promise<MediaSocket>((resolve) => {
      server.once('connection', (accepted) => {
        const socket = acceptedSocket(accepted, 'uring');
        socket.listen({
          onData: (data) => end.got.push(Buffer.from(data)),
          onDrain() {},
          onEnd() {},
          onError: ({ code }) => end.errors.push(code),
          onClose: () => {
            end.isClosed = true;
          },
        });
        resolve(socket);
      });
    });
    const peer = connect((server.address() as AddressInfo).port, '127.0.0.1').on('error', () => {});
    const end: Omit<End, 'socket'> = { peer, got: [], heard: [], errors: [], isClosed: false };
    peer.on('data', (data) => end.heard.push(data));
    const whole: End = Object.assign(end, { socket: await made });
    ends.push(whole);
    return whole;
  };
  const text = (data: readonly Buffer[]): string => Buffer.concat(data).toString();
  const publisher = await open();
  publisher.socket.readLargely?.();
  const viewer = await open();
  const paused = await open();
  paused.socket.pause();
  paused.socket.readLargely?.();
  publisher.peer.write('one');
  await until(() => text(publisher.got) === 'one', 20_000, 'what was read');
  viewer.socket.write(Buffer.from('two'));
  await until(() => text(viewer.heard) === 'two', 20_000, 'what was sent');

  // The second ring receives.
  losses[1]?.();
  publisher.peer.write('three');
  await until(() => publisher.isClosed, 20_000, 'the end of who may miss something');
  expect([publisher.errors, text(publisher.got)]).toEqual([['EIO'], 'one']);
  expect(lines).toEqual(['sockets: direct, past the streams of Node.js']);
  expect(ringsFor('uring')).toBeNull();
  expect(socketWay('auto')).toEqual({ mode: 'direct', why: expect.stringContaining('no memory') });

  viewer.socket.write(Buffer.from(' and four'));
  paused.socket.write(Buffer.from('five'));
  paused.peer.write('six');
  paused.socket.resume();
  const late = await open();
  late.socket.readLargely?.();
  late.peer.write('seven');
  await until(() => text(viewer.heard) === 'two and four', 20_000, 'what a viewer gets');
  await until(() => text(paused.heard) === 'five' && text(paused.got) === 'six', 20_000, 'who was not read');
  await until(() => text(late.got) === 'seven', 20_000, 'who came later');
  for (const { socket, peer } of ends) {
    socket.destroy();
    peer.destroy();
  }
  server.close();
});
