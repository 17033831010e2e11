import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { NativeBackend } from '../../../src/backend/native/native-backend.js';
import { defaultSettings } from '../../../src/config/index.js';
import type { LogFields, Logger } from '../../../src/log/log.js';
import { PublishClient } from '../../../src/rtmp/publish-client.js';
import { encodeAmf0 } from '../../../src/wire/amf0.js';
import { encodeMessage } from '../../../src/wire/chunk-writer.js';
import { ClientHandshake } from '../../../src/wire/handshake.js';
import { MessageType } from '../../../src/wire/message.js';
import { healthy, startTarget, until } from '../../push/targets.js';
import { frame, videoHeader } from '../../relay/fixtures.js';

const cleanups: (() => Promise<unknown> | undefined)[] = [];
afterEach(async () => {
  while (cleanups.length > 0) await cleanups.pop()?.();
});

/** Reasons for which connections were closed, in order. */
class Reasons implements Logger {
  readonly reasons: string[] = [];
  readonly others: string[] = [];
  debug(): void {}
  info(): void {}
  error(message: string): void {
    this.others.push(message);
  }
  warn(message: string, fields: LogFields = {}): void {
    if (message === 'connection closed') this.reasons.push(String(fields.reason));
    else this.others.push(message);
  }
  child(): Logger {
    return this;
  }
}

async function node(changes: object) {
  const log = new Reasons();
  const media = { ...defaultSettings().media, pushRetryMinMs: 50, ...changes };
  const backend = new NativeBackend({ settings: { host: '127.0.0.1', rtmpPort: 0, media }, log });
  const { port } = await backend.start();
  cleanups.push(() => backend.stop(1000));
  backend.setCamera({ name: 'gate', pushes: [] });
  return { backend, log, port, url: `rtmp://127.0.0.1:${port}/gate/gate` };
}

/** A TCP connection, and whether the other side closed it. */
function dial(port: number, localAddress = '127.0.0.1'): { socket: Socket; closed: () => boolean } {
  const socket = connect({ port, host: '127.0.0.1', localAddress });
  let closed = false;
  socket.on('error', () => {});
  socket.on('close', () => {
    closed = true;
  });
  socket.resume();
  cleanups.push(async () => socket.destroy());
  return { socket, closed: () => closed };
}

/** Shakes hands by itself, and then sends what is given. */
async function handshaken(port: number, localAddress = '127.0.0.1'): Promise<ReturnType<typeof dial>> {
  const dialled = dial(port, localAddress);
  const handshake = new ClientHandshake();
  dialled.socket.write(handshake.start());
  await new Promise<void>((resolve) => {
    const onData = (data: Buffer): void => {
      const { reply, done } = handshake.receive(data);
      if (reply !== null) dialled.socket.write(reply);
      if (!done) return;
      dialled.socket.off('data', onData);
      resolve();
    };
    dialled.socket.on('data', onData);
  });
  return dialled;
}

async function publisher(url: string): Promise<PublishClient> {
  const made = new PublishClient({ url, connectTimeoutMs: 2000 });
  await made.connect();
  cleanups.push(() => made.close());
  return made;
}

describe('limits', () => {
  it('of connections in all and from one address: those beyond are closed, with a line', async () => {
    for (const limit of [{ maxConnections: 3 }, { maxConnectionsPerAddress: 3 }]) {
      const { backend, log, port } = await node(limit);
      const dialled = Array.from({ length: 8 }, () => dial(port));
      await until(() => dialled.filter(({ closed }) => closed()).length === 5, 20_000, 'five closed');
      expect(backend.totals().connections).toBe(3);
      expect(new Set(log.others)).toEqual(new Set(['RTMP_LIMIT: connections refused']));
      dialled.find(({ closed }) => !closed())?.socket.destroy();
      await until(() => backend.totals().connections === 2, 20_000, 'room again');
      dial(port);
      await until(() => backend.totals().connections === 3, 20_000, 'let in');
    }
  });

  it('of time to publish or play', async () => {
    const { log, port } = await node({ handshakeTimeoutMs: 300 });
    const mute = dial(port);
    const idle = await handshaken(port);
    await until(() => mute.closed() && idle.closed(), 20_000, 'both closed');
    expect(log.reasons).toEqual([
      expect.stringContaining('RTMP_TIMEOUT: neither publish nor play within 0.3 s (handshake)'),
      expect.stringContaining('RTMP_TIMEOUT: neither publish nor play within 0.3 s (fresh)'),
    ]);
  });

  it('of silence of a publisher', async () => {
    const { log, url, backend } = await node({ idleTimeoutMs: 400, publishGraceMs: 0 });
    const made = await publisher(url);
    await made.closed;
    expect(log.reasons).toEqual([expect.stringContaining('the publisher sent nothing of use for 0.4 s')]);
    expect(backend.camera('gate')?.live).toBe(false);
  });

  it('of a message: small for strangers, large for who publishes', async () => {
    const { log, port, url } = await node({ maxCommandBytes: 4096, maxMessageBytes: 200_000 });
    const stranger = await handshaken(port);
    stranger.socket.write(encodeMessage(3, MessageType.CommandAmf0, 0, 0, Buffer.alloc(5000), 128));
    await until(stranger.closed, 20_000, 'the stranger closed');
    expect(log.reasons.at(-1)).toMatch(/^RTMP_CHUNK: .*5000.*4096/);
    const made = await publisher(url);
    made.write(MessageType.Video, 0, frame(0, true, 199_000));
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(log.reasons.length).toBe(1);
    made.write(MessageType.Video, 40, frame(1, true, 200_001));
    await made.closed;
    expect(log.reasons.at(-1)).toMatch(/^RTMP_CHUNK: .*200001.*200000/);
  });

  it('of chunk streams and of the depth of values', async () => {
    const { log, port } = await node({ maxChunkStreams: 8, maxAmfDepth: 4 });
    const many = await handshaken(port);
    for (let csid = 10; csid < 20; csid++) {
      many.socket.write(encodeMessage(csid, MessageType.DataAmf0, 0, 0, Buffer.from('x'), 128));
    }
    await until(many.closed, 20_000, 'closed for chunk streams');
    expect(log.reasons.at(-1)).toMatch(/^RTMP_CHUNK: .*limit of 8/);
    const deep = await handshaken(port);
    // What stands before the depth counts; the rest is not looked into.
    const nested = { app: 'nobody', a: { b: { c: { d: { e: {} } } } } };
    deep.socket.write(encodeMessage(3, MessageType.CommandAmf0, 0, 0, encodeAmf0('connect', 1, nested), 128));
    await until(deep.closed, 20_000, 'closed, since there is no such camera');
    expect(log.reasons.at(-1)).toContain('PUBLISH_NOT_REGISTERED');
  });

  it('of the bitrate of a camera', async () => {
    const { log, url } = await node({ maxBitrateKbps: 1000 });
    const made = await publisher(url);
    const timer = setInterval(() => made.write(MessageType.Video, 0, frame(0, true, 20_000)), 20);
    cleanups.push(async () => clearInterval(timer));
    await made.closed;
    expect(log.reasons.at(-1)).toMatch(/^RTMP_LIMIT: camera gate sends \d+ kbit\/s; max-bitrate-kbps is 1000/);
  });

  it('of viewers of a camera', async () => {
    const { backend, log, port } = await node({ maxViewersPerCamera: 1 });
    const play = async () => {
      const viewer = await handshaken(port);
      viewer.socket.write(
        encodeMessage(3, MessageType.CommandAmf0, 0, 0, encodeAmf0('connect', 1, { app: 'gate' }), 128),
      );
      viewer.socket.write(encodeMessage(3, MessageType.CommandAmf0, 0, 0, encodeAmf0('createStream', 2, null), 128));
      viewer.socket.write(encodeMessage(3, MessageType.CommandAmf0, 0, 1, encodeAmf0('play', 3, null, 'gate'), 128));
      return viewer;
    };
    const first = await play();
    await until(() => backend.totals().viewers === 1, 20_000, 'the first plays');
    const second = await play();
    await until(second.closed, 20_000, 'the second closed');
    expect(first.closed()).toBe(false);
    expect(log.reasons).toEqual([expect.stringContaining('LIMIT_REACHED: camera gate has 1 viewer; the limit is 1')]);
  });

  it('of viewers of a camera from one address; another address has its own share', async () => {
    const { backend, log, port } = await node({ maxViewersPerAddress: 2 });
    const play = async (localAddress: string) => {
      const viewer = await handshaken(port, localAddress);
      viewer.socket.write(
        encodeMessage(3, MessageType.CommandAmf0, 0, 0, encodeAmf0('connect', 1, { app: 'gate' }), 128),
      );
      viewer.socket.write(encodeMessage(3, MessageType.CommandAmf0, 0, 0, encodeAmf0('createStream', 2, null), 128));
      viewer.socket.write(encodeMessage(3, MessageType.CommandAmf0, 0, 1, encodeAmf0('play', 3, null, 'gate'), 128));
      return viewer;
    };
    const first = await play('127.0.0.1');
    await play('127.0.0.1');
    await until(() => backend.totals().viewers === 2, 20_000, 'two of one address play');
    const third = await play('127.0.0.1');
    await until(third.closed, 20_000, 'the third of it is closed');
    await play('127.0.0.2');
    await until(() => backend.totals().viewers === 3, 20_000, 'another address plays');
    expect(log.reasons).toEqual([expect.stringContaining('max-viewers-per-address')]);
    // Who leaves makes room.
    first.socket.destroy();
    await until(() => backend.totals().viewers === 2, 20_000, 'one left');
    await play('127.0.0.1');
    await until(() => backend.totals().viewers === 3, 20_000, 'there is room again');
  });

  it('of what all streams keep: queues of stopped targets are given back, the push says so', async () => {
    const sink = await startTarget((socket) => {
      // Speaks RTMP up to the publish, and then reads nothing more.
      healthy(socket, sink);
      setTimeout(() => socket.pause(), 400);
    });
    cleanups.push(() => sink.close());
    const { backend, log, url } = await node({
      mediaMaxBytes: 2 << 20,
      queueMaxBytes: 1 << 28,
      queueMaxAgeMs: 600_000,
      stallTimeoutMs: 60_000,
      maxBitrateKbps: 10_000_000,
    });
    backend.setCamera({ name: 'gate', pushes: [{ id: 'p', url: sink.url, enabled: true }] });
    const made = await publisher(url);
    made.write(MessageType.Video, 0, videoHeader());
    let number = 0;
    const timer = setInterval(() => {
      made.write(MessageType.Video, number * 20, frame(number, number % 20 === 0, 100_000));
      number++;
    }, 20);
    cleanups.push(async () => clearInterval(timer));
    const kept = () => Number(backend.facts().mediaKeptBytes);
    expect(backend.facts().mediaMaxBytes).toBe(2 << 20);
    expect(kept()).toBe(0);
    await until(() => kept() > 1 << 20, 25_000, 'kept');
    await until(() => (backend.camera('gate')?.pushes[0]?.droppedBy?.total ?? 0) > 0, 25_000, 'given back');
    expect(log.others.some((line) => line.startsWith('LIMIT_REACHED: media-max-bytes'))).toBe(true);
    expect(backend.camera('gate')?.live).toBe(true);
  });
});

it('a test of a target says how far the way is open', async () => {
  const { url } = await node({});
  const { backend } = await node({ connectTimeoutMs: 500 });
  expect(await backend.testTarget(url)).toMatchObject({
    ok: true,
    steps: [{ step: 'tcp' }, { step: 'handshake' }, { step: 'connect' }, { step: 'publish', ok: true }],
  });
  expect(await backend.testTarget(url.replace('gate/gate', 'gate/other'))).toMatchObject({
    ok: false,
    steps: [
      { ok: true },
      { ok: true },
      { ok: true },
      { step: 'publish', ok: false, error: { code: 'TARGET_PUBLISH_REJECTED' } },
    ],
  });
  const mute = await startTarget(() => {});
  cleanups.push(() => mute.close());
  expect(await backend.testTarget(mute.url)).toMatchObject({
    ok: false,
    steps: [
      { step: 'tcp', ok: true },
      { step: 'handshake', ok: false, error: { code: 'TARGET_TIMEOUT' } },
    ],
  });
  expect((await backend.testTarget('rtmp://nowhere.invalid/a/b')).steps).toMatchObject([
    { step: 'dns', ok: false, error: { code: 'TARGET_DNS' } },
  ]);
});
