import { once } from 'node:events';
import { closeSync, readSync } from 'node:fs';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { MediaSocket, MediaSocketListener } from '../../../src/net/media-socket.js';
import { acceptedSocket } from '../../../src/net/node-socket.js';
import { sharedRead, takeOver } from '../../../src/net/shared-read.js';
import { prepareSockets, readEveryMs, ringsFor } from '../../../src/net/socket-way.js';
import { type KernelCalls, kernelCalls } from '../../../src/net/uring/kernel-calls.js';
import { Ring } from '../../../src/net/uring/ring.js';
import { descriptorOf, RingSocket } from '../../../src/net/uring/ring-socket.js';
import { RingSender } from '../../../src/net/uring/sender.js';
import { until } from '../../push/targets.js';
import { type Fault, type Faults, FaultyQueue, harmlessErrors } from './faulty-queue.js';

let calls: KernelCalls;
let ring: Ring;
beforeAll(async () => {
  const found = kernelCalls();
  if (typeof found === 'string') throw new Error(found);
  calls = found;
  ring = new Ring(calls, 64, 128);
  await prepareSockets('uring');
});
afterAll(() => ring.close());

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

class Events implements MediaSocketListener {
  drains = 0;
  readonly errors: (string | undefined)[] = [];
  isClosed = false;
  readonly read: Buffer[] = [];
  ended = false;
  onRead = (): void => {};
  onData(data: Buffer): void {
    this.read.push(Buffer.from(data));
    this.onRead();
  }
  onDrain(): void {
    this.drains++;
  }
  onEnd(): void {
    this.ended = true;
  }
  onError({ code }: Error & { code?: string }): void {
    this.errors.push(code);
  }
  onClose(): void {
    this.isClosed = true;
  }
}

/** A connection whose near end is made by `make`. */
async function connection<T extends MediaSocket>(
  make: (accepted: Socket) => T,
): Promise<{ socket: T; events: Events; peer: Socket; read: Buffer[]; server: Server }> {
  const events = new Events();
  let socket: T | undefined;
  const server = createServer({ pauseOnConnect: true, highWaterMark: 1024 }, (accepted) => {
    socket = make(accepted);
    socket.listen(events);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { connect } = await import('node:net');
  const peer = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const read: Buffer[] = [];
  peer.on('data', (data) => read.push(data)).on('error', () => {});
  await until(() => socket !== undefined, 20_000, 'a connection');
  closers.push(() => {
    socket?.destroy();
    peer.destroy();
    server.close();
  });
  return { socket: socket!, events, peer, read, server };
}

/** A socket whose sends go by a ring with faults; nothing is received by it. */
function faulty(faults: Faults): { make: (accepted: Socket) => RingSocket; queue: FaultyQueue; sender: RingSender } {
  const queue = new FaultyQueue(ring, faults);
  const sender = new RingSender(queue, calls.addressOf);
  const receiver = ringsFor('uring')!.receiver;
  const make = (accepted: Socket): RingSocket =>
    new RingSocket({ sender, receiver }, (onData, size) => takeOver(accepted, sharedRead(onData, size), 65_536)!);
  return { make, queue, sender };
}

const noFaults: Faults = {
  next: () => ({ kind: 'none' }),
  refuses: () => false,
  delay: () => 0,
  pick: () => 0,
  room: 64,
};

const pattern = (bytes: number, from: number): Buffer =>
  Buffer.from(Array.from({ length: bytes }, (_, i) => (from + i * 7) & 0xff));

describe('what is sent by a ring', () => {
  it('is whole where the kernel takes any number of bytes of it, for each number', async () => {
    const bytes = 150;
    let cut = 0;
    const { make, queue, sender } = faulty({ ...noFaults, next: () => ({ kind: 'short', bytes: cut }) });
    const { socket, read } = await connection(make);
    const sent: Buffer[] = [];
    for (cut = 0; cut <= bytes; cut++) {
      // Several at once: those behind must not overtake what is left of the first.
      sender.gather(() => {
        for (const data of [pattern(bytes - 50, cut), pattern(20, cut + 1), pattern(30, cut + 2)]) {
          expect(socket.write(data)).toBe(true);
          sent.push(data);
        }
        expect(socket.pendingBytes).toBeGreaterThanOrEqual(bytes);
      });
      await new Promise(setImmediate);
    }
    expect(queue.ofPieces).toBe(bytes + 1);
    const all = Buffer.concat(sent);
    await until(() => Buffer.concat(read).length >= all.length, 20_000, 'all bytes');
    expect(Buffer.concat(read).equals(all)).toBe(true);
    expect(socket.bytesWritten).toBe(all.length);
    expect(socket.progress).toBe(all.length);
    expect(socket.pendingBytes).toBe(0);
  });

  it('is enough for now as soon as the rest of it waits, also where nothing is gathered', async () => {
    const { make } = faulty({ ...noFaults, next: () => ({ kind: 'short', bytes: 10 }) });
    const { socket, peer, events } = await connection(make);
    peer.pause();
    // More than the kernel takes, of a peer that reads nothing.
    expect(socket.write(Buffer.alloc(16 << 20, 7))).toBe(false);
    expect(socket.pendingBytes).toBeGreaterThan(64 * 1024);
    peer.resume();
    await until(() => events.drains === 1, 20_000, 'room');
    expect(socket.pendingBytes).toBe(0);
  });

  it.each([...harmlessErrors])('goes by the ordinary way when the ring answers with error %i', async (error) => {
    let isFaulty = true;
    const { make, sender } = faulty({
      ...noFaults,
      next: () => (isFaulty ? { kind: 'error', error } : { kind: 'none' }),
    });
    const { socket, read, events } = await connection(make);
    sender.gather(() => {
      socket.write(Buffer.from('one '));
      socket.write(Buffer.from('two '));
    });
    await until(() => Buffer.concat(read).toString() === 'one two ', 20_000, 'the bytes');
    expect(sender.counts).toEqual({ sends: 1, calls: 1, short: 1 });
    isFaulty = false;
    socket.write(Buffer.from('three'));
    await until(() => Buffer.concat(read).toString() === 'one two three', 20_000, 'the bytes');
    expect(sender.counts.short).toBe(1);
    expect(events.errors).toEqual([]);
  });

  const fault: fc.Arbitrary<Fault> = fc.oneof(
    { weight: 3, arbitrary: fc.constant<Fault>({ kind: 'none' }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('short' as const), bytes: fc.nat(80_000) }) },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('error' as const), error: fc.constantFrom(...harmlessErrors) }),
    },
  );

  it('whatever the ring does, what arrives is what was written', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fault, { minLength: 1, maxLength: 12 }),
        fc.array(fc.nat(3), { minLength: 1, maxLength: 5 }),
        fc.array(fc.boolean(), { minLength: 1, maxLength: 5 }),
        fc.array(fc.nat(200_000), { minLength: 1, maxLength: 25 }),
        // More than one send takes, too.
        fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 1, max: 5 }),
        fc.integer(),
        async (faults, delays, refusals, sizes, pieces, room, seed) => {
          let [f, d, r, p] = [0, 0, 0, 0];
          const { make, queue, sender } = faulty({
            next: () => faults[f++ % faults.length]!,
            delay: () => delays[d++ % delays.length]!,
            // Every fifth time at most: the kernel does take something.
            refuses: () => r++ % 5 === 4 && refusals[r % refusals.length]!,
            pick: (count) => Math.abs(seed + p++ * 7919) % count,
            room,
          });
          const two = [await connection(make), await connection(make)];
          const expected: Buffer[][] = [[], []];
          const written: { data: Buffer; socket: RingSocket; from: number }[] = [];
          for (const [i, bytes] of sizes.entries()) {
            const { socket, peer } = two[i % 2]!;
            const data = pattern(bytes + 1, i);
            expected[i % 2]!.push(Buffer.from(data));
            written.push({ data, socket, from: socket.bytesWritten });
            if (i % 5 === 0) socket.write(data);
            else {
              sender.gather(() => {
                const step = Math.ceil(data.length / pieces[i % pieces.length]!);
                for (let at = 0; at < data.length; at += step) socket.write(data.subarray(at, at + step));
              });
            }
            expect(socket.progress).toBeLessThanOrEqual(socket.bytesWritten);
            if (i % 4 === 1) peer.pause();
            if (i % 4 === 3) peer.resume();
            if (i % 3 === 0) await new Promise(setImmediate);
            // What nothing is pending of any more is written over, as a slab that is used again.
            for (const each of written) if (each.socket.pendingBytes === 0) each.data.fill(0xee);
          }
          for (const [i, { socket, peer, read, events }] of two.entries()) {
            peer.resume();
            const all = Buffer.concat(expected[i]!);
            const got = (): number => read.reduce((sum, { length }) => sum + length, 0);
            await until(() => got() >= all.length && socket.pendingBytes === 0, 20_000, 'all bytes');
            expect(Buffer.concat(read).equals(all)).toBe(true);
            expect(socket.bytesWritten).toBe(all.length);
            expect(socket.progress).toBe(all.length);
            expect(events.errors).toEqual([]);
            socket.end();
            await until(() => events.isClosed, 20_000, 'the end');
          }
          expect(sender.waiting).toBe(0);
          expect(queue.late).toBe(0);
          for (const close of closers.splice(0)) close();
        },
      ),
      { numRuns: 40 },
    );
  }, 120_000);

  it('is with the kernel when a write returns, unless many are gathered: who looks at once sees it', async () => {
    const { make, sender } = faulty(noFaults);
    const { socket } = await connection(make);
    socket.write(Buffer.from('a ping'));
    expect(socket.pendingBytes).toBe(0);
    sender.gather(() => {
      socket.write(Buffer.from('one'));
      expect(socket.pendingBytes).toBe(3);
    });
    expect(socket.pendingBytes).toBe(0);
    expect(sender.counts.calls).toBe(2);
  });

  it('says that there is room again, also where the ring was late', async () => {
    const { make } = faulty({ ...noFaults, delay: () => 3 });
    const { socket, events, read } = await connection(make);
    expect(socket.write(Buffer.alloc(100_000, 1))).toBe(false);
    expect(events.drains).toBe(0);
    await until(() => events.drains === 1, 20_000, 'the drain');
    expect(socket.write(Buffer.alloc(10, 2))).toBe(true);
    await until(() => Buffer.concat(read).length === 100_010, 20_000, 'all bytes');
  });

  it('is sent before an end, and before a destruction, in the same turn', async () => {
    for (const way of ['end', 'destroy'] as const) {
      const { make, sender } = faulty(noFaults);
      const { socket, read, peer } = await connection(make);
      sender.gather(() => {
        socket.write(Buffer.from('last words'));
        socket[way]();
      });
      await once(peer, 'close');
      expect(Buffer.concat(read).toString()).toBe('last words');
    }
  });

  it('is sent before an end, although the ring is late', async () => {
    const { make } = faulty({ ...noFaults, delay: () => 4 });
    const { socket, read, peer } = await connection(make);
    socket.write(Buffer.from('last '));
    socket.write(Buffer.from('words'));
    socket.end();
    expect(socket.write(Buffer.from('too late'))).toBe(false);
    await once(peer, 'close');
    expect(Buffer.concat(read).toString()).toBe('last words');
  });

  it('never goes to who has got the descriptor of a closed connection', async () => {
    const { make, sender } = faulty(noFaults);
    const first = await connection(make);
    const nodes = Reflect.get(first.socket, 'socket') as Socket;
    const fd = descriptorOf(nodes);
    let pair: readonly number[] = [];
    sender.gather(() => {
      first.socket.write(Buffer.from('for the first'));
      // Node closes it, not we, in the middle of a round; the next one has its number.
      nodes.destroy();
      pair = calls.socketPair();
    });
    expect(pair).toContain(fd);
    await until(() => first.events.isClosed, 20_000, 'its end');
    expect(first.socket.pendingBytes).toBe(0);
    for (const end of pair) expect(() => readSync(end, Buffer.alloc(100))).toThrow('EAGAIN');
    for (const end of pair) closeSync(end);
  });

  it.each([
    ['write', 'EPIPE'],
    ['write', 'ECONNRESET'],
  ])('ends the connection where the %s fails with %s', async (_what, code) => {
    const { errno } = (await import('node:os')).constants;
    const error = errno[code as 'EPIPE'];
    const { make } = faulty({ ...noFaults, next: () => ({ kind: 'error', error }) });
    const { socket, events } = await connection(make);
    socket.write(Buffer.from('x'));
    socket.write(Buffer.from('y'));
    await until(() => events.isClosed, 20_000, 'the end');
    expect(events.errors).toEqual([code]);
    expect(socket.pendingBytes).toBe(0);
    expect(socket.write(Buffer.from('z'))).toBe(false);
  });
});

/** As a publisher's connection. */
const publisher = (accepted: Socket): MediaSocket => {
  const socket = acceptedSocket(accepted, 'uring');
  socket.readLargely?.();
  return socket;
};

const receiver = () => ringsFor('uring')!.receiver;

describe('what is received by a ring', () => {
  it('comes from the ring once a publisher was let in, bytes before that from Node.js', async () => {
    const before = receiver().counts.reads;
    const { socket, events, peer } = await connection((accepted) => acceptedSocket(accepted, 'uring'));
    peer.write('one ');
    await until(() => events.read.length > 0, 20_000, 'bytes');
    expect(receiver().counts.reads).toBe(before);
    socket.readLargely?.();
    peer.write('two');
    await until(() => Buffer.concat(events.read).toString() === 'one two', 20_000, 'bytes');
    expect(receiver().counts.reads).toBe(before + 1);
    expect(socket.bytesRead).toBe(7);
    peer.end();
    await until(() => events.isClosed, 20_000, 'the end');
    expect(events.ended).toBe(true);
    expect(events.errors).toEqual([]);
    expect(receiver().open).toBe(0);
  });

  it('waits while it is paused, in the kernel for the most part, and is whole behind that', async () => {
    const { socket, events, peer } = await connection(publisher);
    socket.pause();
    const data = Buffer.alloc(16_000_000, pattern(9973, 3));
    let written = false;
    peer.write(data, () => {
      written = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(events.read).toEqual([]);
    expect(written).toBe(false); // the peer is held up
    const got = (): number => events.read.reduce((sum, { length }) => sum + length, 0);
    for (let i = 0; i < 20; i++) {
      socket.resume();
      await new Promise(setImmediate);
      socket.pause();
      const bytes = got();
      await new Promise((resolve) => setTimeout(resolve, 2));
      expect(got()).toBe(bytes);
    }
    socket.resume();
    await until(() => got() === data.length, 20_000, 'all bytes');
    expect(Buffer.concat(events.read).equals(data)).toBe(true);
  });

  it('of a peer that resets: an error, and nothing is left', async () => {
    const { events, peer } = await connection(publisher);
    peer.resetAndDestroy();
    await until(() => events.isClosed, 20_000, 'the end');
    expect(events.errors).toEqual(['ECONNRESET']);
    expect(receiver().open).toBe(0);
  });

  it('lost the last words of a peer that resets, where something was written to it meanwhile', async () => {
    // Of a peer that resets, what does not fit into the socket until the next look never leaves it.
    const bytes = readEveryMs('uring') > 0 ? 50_000 : 300_000;
    for (let i = 0; i < 20; i++) {
      const { socket, events, peer } = await connection(publisher);
      const lastWords = Buffer.alloc(bytes, i);
      // What it has not read makes a reset of its close.
      peer.pause();
      socket.write(Buffer.alloc(1000));
      events.onRead = () => socket.write(Buffer.alloc(100));
      await new Promise<void>((resolve) => peer.write(lastWords, () => resolve()));
      peer.destroy();
      await until(() => events.isClosed, 20_000, 'the end');
      expect(events.read.reduce((sum, { length }) => sum + length, 0)).toBe(lastWords.length);
    }
    expect(receiver().open).toBe(0);
  });

  it('lets the peer know at once when the connection is destroyed, whoever does it', async () => {
    for (const destroy of [
      (socket: MediaSocket) => socket.destroy(),
      (socket: MediaSocket) => (Reflect.get(socket, 'socket') as Socket).destroy(),
    ]) {
      const { socket, events, peer } = await connection(publisher);
      destroy(socket);
      await once(peer, 'close');
      await until(() => events.isClosed, 20_000, 'the end');
      await until(() => receiver().open === 0, 20_000, 'the end of its operation');
    }
  });

  it('is given over with the connection: nothing is lost and nothing stays', async () => {
    const { socket, events, peer } = await connection(publisher);
    peer.write('a');
    await until(() => events.read.length > 0, 20_000, 'bytes');
    socket.pause();
    const { reads } = receiver().counts;
    peer.write('for the next');
    await until(() => receiver().counts.reads > reads, 20_000, 'bytes behind the pause');
    const rest = socket.abandon()!;
    expect('for the next'.startsWith(rest.toString())).toBe(true);
    expect(rest.length).toBe(12);
    expect(receiver().open).toBe(0);
    expect(Buffer.concat(events.read).toString()).toBe('a');
  });
});
