import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { constants } from 'node:os';
import { describe, expect, it } from 'vitest';
import type { MediaSocket } from '../../../src/net/media-socket.js';
import { acceptedSocket } from '../../../src/net/node-socket.js';
import { prepareSockets, readEveryMs, ringsFor } from '../../../src/net/socket-way.js';
import { openRings } from '../../../src/net/uring/rings.js';
import { until } from '../../push/targets.js';

await prepareSockets('uring', { readEveryMs: 5 });

describe('connections that are read in intervals', async () => {
  it('are those that a ring reads', () => {
    expect(readEveryMs('uring')).toBe(5);
    expect(readEveryMs('plain')).toBe(0);
  });

  // All that holds for connections that are read whenever something comes.
  await import('./ring-socket.test.js');

  it('lose nothing where more comes in an interval than there are buffers for', async () => {
    const count = 64;
    const payload = Buffer.alloc(700_000);
    for (let i = 0; i < payload.length; i++) payload[i] = i % 251;
    const { counts } = ringsFor('uring')!.receiver;
    const { starved } = counts;
    const ends: { socket: MediaSocket; got: number; isWrong: boolean; isClosed: boolean }[] = [];
    const server = createServer({ pauseOnConnect: true }, (accepted) => {
      const end = { socket: acceptedSocket(accepted, 'uring'), got: 0, isWrong: false, isClosed: false };
      end.socket.listen({
        onData: (data) => {
          if (!payload.subarray(end.got, end.got + data.length).equals(data)) end.isWrong = true;
          end.got += data.length;
        },
        onDrain: () => {},
        onEnd: () => {},
        onError: () => {},
        onClose: () => {
          end.isClosed = true;
        },
      });
      end.socket.readLargely?.();
      ends.push(end);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const peers: Socket[] = Array.from({ length: count }, () => connect(port, '127.0.0.1').on('error', () => {}));
    await until(() => ends.length === count, 20_000, 'all connections');
    for (const peer of peers) peer.end(payload);
    await until(() => ends.every((end) => end.isClosed), 20_000, 'all ends');
    expect(ends.map(({ got, isWrong }) => ({ got, isWrong }))).toEqual(
      peers.map(() => ({ got: payload.length, isWrong: false })),
    );
    expect(counts.starved).toBeGreaterThan(starved);
    expect(ringsFor('uring')!.receiver.open).toBe(0);
    server.close();
  });
});

it('a kernel that cannot put receiving off reads whenever something comes', async () => {
  const deferred = 1 << 13;
  const rings = await openRings(
    (calls) => ({
      ...calls,
      setUp: (entries, params) =>
        (params.readUInt32LE(8) & deferred) === 0 ? calls.setUp(entries, params) : -constants.errno.EINVAL,
    }),
    5,
  );
  if (typeof rings === 'string') throw new Error(rings);
  expect(rings.readEveryMs).toBe(0);
  rings.close();
});
