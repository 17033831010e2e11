import { createSocket, type Socket } from 'node:dgram';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { CodedError } from '../../src/errors.js';
import { silentLogger } from '../../src/log/log.js';
import type { StreamRequest } from '../../src/rtmp/server-handler.js';
import type { Publisher, PublisherRefusal } from '../../src/rtmp/stream-host.js';
import { SrtListener } from '../../src/srt/srt-listener.js';
import { readStreamId } from '../../src/srt/stream-id.js';
import { waitFor } from '../support/wait.js';

const sockets = vi.hoisted(() => [] as Socket[]);
vi.mock('node:dgram', async (load) => {
  const dgram = await load<typeof import('node:dgram')>();
  const noted = (options: 'udp4'): Socket => {
    const socket = dgram.createSocket(options);
    sockets.push(socket);
    return socket;
  };
  return { ...dgram, createSocket: noted };
});

const limits = { maxConnections: 5, maxConnectionsPerAddress: 5, maxMessageBytes: 1 << 20, idleTimeoutMs: 30_000 };

/** In place of ffmpeg. */
function programThatReads(): string {
  const folder = mkdtempSync(join(tmpdir(), 'srt-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'reads');
  writeFileSync(file, '#!/bin/sh\nexec cat > /dev/null\n', { mode: 0o700 });
  return file;
}

async function listener() {
  const publishers: Publisher[] = [];
  const refusals: PublisherRefusal[] = [];
  const asked: StreamRequest[] = [];
  const server = new SrtListener({
    // What is missing is still asked for when a busy machine looks.
    settings: { ...limits, srtLatencyMs: 8000, ffmpeg: programThatReads() },
    passphrase: undefined,
    log: silentLogger,
    host: {
      connect: () => {},
      cameraOf: ({ app }) => (app === 'gate' ? 'gate' : undefined),
      refused: (refusal) => refusals.push(refusal),
      admitPublisher: (request) => {
        asked.push(request);
        if (request.app !== 'gate') throw new CodedError('PUBLISH_NOT_REGISTERED', 'no such camera');
        return (publisher) => {
          publishers.push(publisher);
          return { write: () => true, end: () => {} };
        };
      },
      admitViewer: () => {
        throw new Error('nobody plays');
      },
    },
  });
  const port = await server.listen('127.0.0.1', 0);
  onTestFinished(() => server.close());
  return { server, port, publishers, refusals, asked };
}

async function caller(port: number) {
  const socket: Socket = createSocket('udp4');
  const answers: Buffer[] = [];
  socket.on('message', (packet) => answers.push(packet));
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  onTestFinished(() => void socket.close());
  const send = (packet: Buffer) => socket.send(packet, port, '127.0.0.1');
  const answer = async () => {
    await waitFor(() => answers.length > 0, { what: 'an answer' });
    return answers.shift() ?? Buffer.alloc(0);
  };
  return { send, answer, answers };
}

function handshake(
  type: number,
  cookie: number,
  options: { peerId?: number; streamId?: string; version?: number } = {},
) {
  const { peerId = 77, streamId, version = 5 } = options;
  const id = Buffer.from((streamId ?? '').padEnd(Math.ceil((streamId ?? '').length / 4) * 4, '\0')).swap32();
  const extensions = streamId === undefined ? 0 : 16 + 4 + id.length;
  const packet = Buffer.alloc(64 + extensions);
  packet.writeUInt32BE(0x80000000, 0);
  packet.writeUInt32BE(version, 16);
  packet.writeUInt16BE(streamId === undefined ? 2 : 5, 22);
  packet.writeUInt32BE(1000, 24);
  packet.writeUInt32BE(1500, 28);
  packet.writeUInt32BE(type, 36);
  packet.writeUInt32BE(peerId, 40);
  packet.writeUInt32BE(cookie, 44);
  if (streamId !== undefined) {
    packet.writeUInt16BE(1, 64);
    packet.writeUInt16BE(3, 66);
    packet.writeUInt32BE(0x010501, 68);
    packet.writeUInt32BE(0xbf, 72);
    packet.writeUInt16BE(120, 78);
    packet.writeUInt16BE(5, 80);
    packet.writeUInt16BE(id.length / 4, 82);
    id.copy(packet, 84);
  }
  return packet;
}

const induction = () => handshake(1, 0, { version: 4 });
const conclusion = (cookie: number, streamId: string, peerId = 77) =>
  handshake(0xffffffff, cookie, { streamId, peerId });

describe('the SRT listener', () => {
  test('gives out cookies of no cost, and lets in who shows one with the name of a camera', async () => {
    const { server, port, publishers, refusals, asked } = await listener();
    const { send, answer, answers } = await caller(port);
    send(induction());
    const first = await answer();
    expect(first).toHaveLength(64);
    const cookie = first.readUInt32BE(44);
    expect(first.readUInt16BE(22)).toBe(0x4a17);
    send(conclusion((cookie ^ 1) >>> 0, 'gate'));
    send(conclusion(cookie, 'nobody'));
    expect((await answer()).readUInt32BE(36)).toBe(2404);
    send(conclusion(cookie, 'gate', 78));
    send(conclusion(cookie, 'gate', 78));
    const accepted = await answer();
    expect(accepted.readUInt32BE(36)).toBe(0xffffffff);
    expect((await answer()).equals(accepted)).toBe(true);
    expect(publishers.map(({ flashVer }) => flashVer)).toEqual(['SRT 1.5.1']);
    expect(asked.map(({ app }) => app)).toEqual(['nobody', 'gate']);
    expect(refusals).toMatchObject([{ name: 'nobody', code: 'PUBLISH_NOT_REGISTERED', address: '127.0.0.1' }]);
    publishers[0]?.close(new CodedError('PUBLISH_NOT_REGISTERED', 'it was removed'));
    await waitFor(() => answers.some((packet) => packet.readUInt32BE(0) === 0x80050000), { what: 'the shutdown' });
    expect(server.connections).toBe(0);
  });

  test('bears packets that say they come from port 0, where nobody can be answered', async () => {
    const known = sockets.length;
    const { server, port } = await listener();
    sockets[known]?.emit('message', induction(), { address: '127.0.0.1', family: 'IPv4', port: 0, size: 64 });
    expect(server.figures.strays).toBe(1);
    const { send, answer } = await caller(port);
    send(induction());
    expect(await answer()).toHaveLength(64);
  });

  test('takes packets of a connection from its own address only, and asks for what is missing', async () => {
    const { server, port } = await listener();
    const [own, other] = await Promise.all([caller(port), caller(port)]);
    own.send(induction());
    own.send(conclusion((await own.answer()).readUInt32BE(44), 'gate'));
    const id = (await own.answer()).readUInt32BE(40);
    const data = (sequence: number) => {
      const packet = Buffer.alloc(16 + 188);
      packet.writeUInt32BE(sequence, 0);
      packet.writeUInt32BE(id, 12);
      return packet;
    };
    const shutdown = Buffer.alloc(20);
    shutdown.writeUInt32BE(0x80050000, 0);
    shutdown.writeUInt32BE(id, 12);
    other.send(shutdown);
    await waitFor(() => server.figures.strays === 1, { what: 'the stranger' });
    own.send(data(1000));
    own.send(data(1003));
    const kinds = () => own.answers.map((packet) => packet.readUInt32BE(0));
    await waitFor(() => kinds().includes(0x80030000) && kinds().includes(0x80020000), { what: 'ACK and NAK' });
    const nak = own.answers.find((packet) => packet.readUInt32BE(0) === 0x80030000);
    expect([nak?.readUInt32BE(16), nak?.readUInt32BE(20)]).toEqual([(0x80000000 | 1001) >>> 0, 1002]);
    const ack = own.answers.find((packet) => packet.readUInt32BE(0) === 0x80020000);
    expect(ack?.readUInt32BE(16)).toBe(1001);
    expect(server.connections).toBe(1);
    own.send(shutdown);
    await waitFor(() => server.connections === 0, { what: 'the end' });
  });

  test('bears what is none of SRT, thousands of half-open handshakes, and callers beyond the limit', async () => {
    const { server, port } = await listener();
    const { send, answers } = await caller(port);
    let seed = 3;
    for (let i = 0; i < 2000; i++) {
      seed = (seed * 1103515245 + 12345) & 0x7fffffff;
      const packet = i % 2 === 0 ? induction() : conclusion(seed, 'gate', seed);
      for (let j = 0; j < 4; j++) packet[(seed >> j) % packet.length] = seed & 0xff;
      send(i % 3 === 0 ? packet.subarray(0, seed % packet.length) : packet);
      if (i % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    const polite = await caller(port);
    await waitFor(
      async () => {
        polite.send(induction());
        await new Promise((resolve) => setTimeout(resolve, 50));
        return polite.answers.length > 0;
      },
      { what: 'an answer behind the flood' },
    );
    expect(server.connections).toBe(0);
    for (const packet of answers) expect(packet.length).toBeLessThanOrEqual(64);
    const cookie = (await polite.answer()).readUInt32BE(44);
    polite.answers.length = 0;
    for (let peer = 1; peer <= 6; peer++) polite.send(conclusion(cookie, 'gate', 100 + peer));
    const reasons = () => polite.answers.filter((packet) => packet.length === 64 && packet.readUInt32BE(36) === 2402);
    await waitFor(() => reasons().length > 0, { what: 'a refusal for the limit' });
    expect(server.connections).toBe(5);
  });
});

test('stream ids name camera, key and ingest in each form, and do not ask for a stream', () => {
  expect(readStreamId('gate')).toEqual({ app: 'gate', streamName: 'gate' });
  expect(readStreamId('gate?key=K&ingest=b')).toEqual({ app: 'gate', streamName: 'gate?key=K&ingest=b' });
  expect(readStreamId('/gate/gate')).toEqual({ app: 'gate', streamName: 'gate' });
  expect(readStreamId('publish:gate:a b')).toEqual({ app: 'gate', streamName: 'gate?key=a+b' });
  expect(readStreamId('#!::m=publish,r=gate,key=K,ingest=b,r2')).toEqual({
    app: 'gate',
    streamName: 'gate?key=K&ingest=b&r2=',
  });
  expect(readStreamId('#!::r=gate,m=request')).toBeNull();
  // As ffmpeg sends what is encoded in its URL.
  expect(readStreamId('%23!::r=gate,m=publish,key=K')).toEqual({ app: 'gate', streamName: 'gate?key=K' });
  expect(readStreamId('%23%21%3A%3Ar%3Dgate%2Cm%3Drequest')).toBeNull();
  expect(readStreamId('%23!::r=%zz')?.app).toBe('%23!::r=%zz');
  expect(readStreamId('read:gate')).toBeNull();
});
