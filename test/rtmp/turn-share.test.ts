import { afterEach, describe, expect, it } from 'vitest';
import { defaultSettings } from '../../src/config/index.js';
import { turnLine } from '../../src/fairness/turn-line.js';
import { type LogFields, type Logger, silentLogger } from '../../src/log/log.js';
import { FlushScheduler } from '../../src/relay/flush-scheduler.js';
import { floods } from '../../src/rtmp/flood-count.js';
import { ServerConnection } from '../../src/rtmp/server-connection.js';
import type { StreamHost } from '../../src/rtmp/stream-host.js';
import { encodeAmf0 } from '../../src/wire/amf0.js';
import { encodeMessage } from '../../src/wire/chunk-writer.js';
import { MessageType } from '../../src/wire/message.js';
import { FakeSocket } from '../fuzz/fake-socket.js';
import { until } from '../push/targets.js';
import { audioFrame, frame, metadata, videoHeader } from '../relay/fixtures.js';
import { FedStream } from '../support/fed-stream.js';

const handshake = Buffer.concat([Buffer.from([3]), Buffer.alloc(3072)]);
const largeChunks = encodeMessage(2, MessageType.SetChunkSize, 0, 0, Buffer.from([0, 1, 0, 0]), 128);

function message(type: number, payload: Buffer, streamId = 0, chunkBytes = 65_536): Buffer {
  return encodeMessage(6, type, 0, streamId, payload, chunkBytes);
}

function command(...values: Parameters<typeof encodeAmf0>): Buffer {
  return message(MessageType.CommandAmf0, encodeAmf0(...values));
}

function times(count: number, part: Buffer): Buffer {
  return Buffer.concat(Array.from({ length: count }, () => part));
}

function aggregate(parts: number, type: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(11);
  header[0] = type;
  header.writeUIntBE(payload.length, 1, 3);
  const size = Buffer.alloc(4);
  size.writeUInt32BE(11 + payload.length);
  return message(MessageType.Aggregate, times(parts, Buffer.concat([header, payload, size])), 1);
}

const opened: FakeSocket[] = [];
afterEach(async () => {
  for (const socket of opened.splice(0)) socket.lose();
  // There is one line for all: nobody of this test may stand before those of the next.
  await until(() => !turnLine.isCrowded, 20_000, 'an empty line');
});

/** A connection that is connected, and publishes on stream 1 where asked to. */
function open(what: 'stranger' | 'connected' | 'publisher' = 'connected') {
  const reasons: string[] = [];
  const stream = new FedStream(
    {
      format: { chunkBytes: 65_536, streamId: 1, publishing: true },
      gopMaxBytes: 16e6,
      scheduler: new FlushScheduler(),
    },
    0,
  );
  let plays = 0;
  const host: StreamHost = {
    connect() {},
    admitPublisher: () => () => stream.ingest,
    admitViewer: () => () => {
      plays++;
      return { stream: null, end() {} };
    },
  };
  const note = (_message: string, fields?: LogFields): number => reasons.push(String(fields?.reason));
  const log: Logger = { ...silentLogger, info: note, warn: note, error: note, child: () => log };
  let answers = 0;
  const socket = new FakeSocket(1, () => answers++);
  opened.push(socket);
  new ServerConnection({ ...{ socket, settings: defaultSettings().media, host, log }, onClosed() {} });
  socket.receive(Buffer.concat([handshake, largeChunks]));
  if (what !== 'stranger') {
    socket.receive(Buffer.concat([command('connect', 1, { app: 'cam' }), command('createStream', 2, null)]));
  }
  if (what === 'publisher') socket.receive(message(MessageType.CommandAmf0, encodeAmf0('publish', 3, null, 'cam'), 1));
  return { socket, stream, reasons, answers: () => answers, plays: () => plays };
}

/** Has a socket receive this again and again, as fast as it reads, until it is ended. */
async function flood(socket: FakeSocket, bytes: Buffer, rounds: number): Promise<void> {
  for (let i = 0; i < rounds && !socket.destroyed; i++) {
    socket.receive(bytes);
    await until(() => !socket.isPaused || socket.destroyed, 20_000, 'its turn');
  }
}

const control = (type: number, payload: Buffer): Buffer => encodeMessage(2, type, 0, 0, payload, 128);
const word = Buffer.from([0, 0, 0, 9]);
const text = 'x'.repeat(20_000);

describe('a peer that sends useless messages on and on is ended with RTMP_FLOOD', () => {
  it.each<[string, Parameters<typeof open>[0], Buffer]>([
    ['pings', 'stranger', control(MessageType.UserControl, Buffer.from([0, 6, 0, 0, 0, 1]))],
    ['answers to pings', 'connected', control(MessageType.UserControl, Buffer.from([0, 7, 0, 0, 0, 1]))],
    ['buffer lengths', 'connected', control(MessageType.UserControl, Buffer.from([0, 3, 0, 0, 0, 1, 0, 0, 0, 1]))],
    ['events that nobody knows', 'connected', control(MessageType.UserControl, Buffer.from([0, 99]))],
    ['acknowledgements', 'connected', times(10, control(MessageType.Acknowledgement, word))],
    ['window sizes', 'connected', control(MessageType.WindowAckSize, word)],
    ['bandwidths', 'connected', control(MessageType.SetPeerBandwidth, Buffer.from([0, 0, 0, 9, 2]))],
    ['chunk sizes', 'connected', control(MessageType.SetChunkSize, Buffer.from([0, 1, 0, 0]))],
    ['aborts', 'connected', control(MessageType.Abort, word)],
    ['commands that nobody knows', 'connected', command('noSuchCommand', 5, null)],
    ['large commands', 'connected', command('noSuchCommand', 0, null, { text })],
    ['FCPublish', 'connected', command('FCPublish', 0, null, 'cam')],
    ['releaseStream', 'connected', command('releaseStream', 0, null, 'cam')],
    [
      'createStream and deleteStream',
      'connected',
      Buffer.concat([command('createStream', 0, null), command('deleteStream', 0, null, 2)]),
    ],
    ['answers to nothing', 'connected', command('_result', 0, null)],
    ['shared objects', 'connected', message(MessageType.SharedObjectAmf0, Buffer.alloc(10))],
    ['types that nobody knows', 'connected', message(99, Buffer.alloc(0))],
    ['media that is published nowhere', 'connected', message(MessageType.Video, frame(1, true), 1)],
    ['data that is published nowhere', 'connected', message(MessageType.DataAmf0, Buffer.alloc(100), 1)],
    ['empty video', 'publisher', message(MessageType.Video, Buffer.alloc(0), 1)],
    ['video of a header and nothing', 'publisher', message(MessageType.Video, Buffer.from([0x17, 1]), 1)],
    ['empty audio', 'publisher', message(MessageType.Audio, Buffer.alloc(0), 1)],
    ['empty data', 'publisher', message(MessageType.DataAmf0, Buffer.alloc(0), 1)],
    ['metadata', 'publisher', message(MessageType.DataAmf0, metadata(640), 1)],
    ['metadata without a wrapping', 'publisher', message(MessageType.DataAmf0, metadata(640).subarray(16), 1)],
    ['large metadata', 'publisher', message(MessageType.DataAmf0, encodeAmf0('onMetaData', { text }), 1)],
    ['sequence headers', 'publisher', times(4, message(MessageType.Video, videoHeader(), 1))],
    ['empty aggregates', 'publisher', message(MessageType.Aggregate, Buffer.alloc(0), 1)],
    ['aggregates of nothing', 'publisher', aggregate(4000, MessageType.Video, Buffer.alloc(0))],
  ])('%s', async (_what, who, bytes) => {
    const { socket, reasons } = open(who);
    const before = floods.ended;
    const read = times(Math.max(1, Math.floor(16_000 / bytes.length)), bytes);
    await flood(socket, read, 5000);
    expect(socket.destroyed).toBe(true);
    expect(reasons.at(-1)).toContain('RTMP_FLOOD');
    expect(floods.ended).toBe(before + 1);
  });

  it('plays, of which a few are granted', async () => {
    const { socket, reasons, plays } = open();
    await flood(socket, times(200, message(MessageType.CommandAmf0, encodeAmf0('play', 3, null, 'cam'), 1)), 20);
    expect(reasons.at(-1)).toContain('RTMP_FLOOD');
    expect(plays()).toBeLessThan(40);
  });
});

describe('an encoder in a hurry is not ended', () => {
  it('that sends a recording as fast as it can, small frames and timed data among it', async () => {
    const { socket, stream, reasons } = open('publisher');
    const second: Buffer[] = [
      message(MessageType.DataAmf0, metadata(640), 1),
      message(MessageType.Video, videoHeader(), 1),
    ];
    for (let i = 0; i < 60; i++) {
      second.push(message(MessageType.Video, frame(i, i === 0, 4000), 1));
      second.push(message(MessageType.Audio, audioFrame(i), 1));
      second.push(message(MessageType.DataAmf0, encodeAmf0('onFI', { st: '12:00:00' }), 1));
    }
    // Ten minutes.
    await flood(socket, Buffer.concat(second), 600);
    expect(reasons).toEqual([]);
    expect(stream.ingest.meter.videoFrames).toBe(36_000);
  });

  it('nor one with frames of many megabytes, in small chunks', async () => {
    const { socket, stream, reasons } = open('publisher');
    socket.receive(encodeMessage(2, MessageType.SetChunkSize, 0, 0, Buffer.from([0, 0, 0, 128]), 65_536));
    const large = message(MessageType.Video, frame(1, true, 8_000_000), 1, 128);
    for (let at = 0; at < large.length; at += 256 * 1024) {
      await flood(socket, large.subarray(at, at + 256 * 1024), 1);
    }
    expect(reasons).toEqual([]);
    expect(stream.ingest.bytesIn).toBe(8_000_000);
  });
});

describe('turns are shared', () => {
  it('a read of many messages is dealt with in several turns, in order and whole', async () => {
    const { socket, stream } = open('publisher');
    const count = 5000;
    const seen: number[] = [];
    const { ingest } = stream;
    const write = ingest.write.bind(ingest);
    ingest.write = (type, timestampMs, payload, nowMs) => {
      seen.push(payload.readUInt32BE(5));
      return write(type, timestampMs, payload, nowMs);
    };
    socket.receive(
      Buffer.concat(Array.from({ length: count }, (_, i) => message(MessageType.Video, frame(i, true, 40), 1))),
    );
    expect(seen.length).toBeGreaterThan(0);
    expect(seen.length).toBeLessThan(count / 2);
    expect(socket.isPaused).toBe(true);
    await until(() => seen.length === count, 20_000, 'all of them');
    expect(seen).toEqual(Array.from({ length: count }, (_, i) => i));
    await until(() => !socket.isPaused, 20_000, 'reading on');
  });

  it('one costly message is paid off in later turns', async () => {
    const { socket, answers } = open();
    const costly = command('noSuchCommand', 5, null, { text: 'x'.repeat(50_000) });
    const before = answers();
    socket.receive(Buffer.concat([costly, costly, costly]));
    expect(answers()).toBe(before + 1);
    await until(() => answers() === before + 3, 20_000, 'the others');
  });

  it('a hundred strangers at once do not hold up a camera', async () => {
    const strangers = Array.from({ length: 100 }, () => open('stranger'));
    const camera = open('publisher');
    const pings = times(800, control(MessageType.UserControl, Buffer.from([0, 6, 0, 0, 0, 1])));
    for (const { socket } of strangers) socket.receive(pings);
    expect(strangers.every(({ socket }) => socket.isPaused)).toBe(true);
    camera.socket.receive(message(MessageType.Video, frame(1, true, 50_000), 1));
    expect(camera.stream.ingest.bytesIn).toBe(50_000);
    expect(camera.socket.isPaused).toBe(false);
    await until(() => strangers.every(({ socket }) => !socket.isPaused || socket.destroyed), 20_000, 'their turns');
  });

  it('a publisher that keeps to its share goes before publishers that do not, and those wait for their turns', async () => {
    const hasty = Array.from({ length: 50 }, () => open('publisher'));
    // Data of a few bytes: each passes for media, and is work.
    const read = times(2000, message(MessageType.DataAmf0, encodeAmf0('onFI', { st: 'x' }), 1));
    const camera = open('publisher');
    for (const { socket } of hasty) socket.receive(read);
    camera.socket.receive(message(MessageType.Video, videoHeader(), 1));
    for (let i = 0; i < 20; i++) {
      const before = camera.stream.ingest.bytesIn;
      const payload = frame(i, i === 0);
      camera.socket.receive(message(MessageType.Video, payload, 1));
      // At once, whoever waits.
      expect(camera.stream.ingest.bytesIn - before).toBe(payload.length);
      expect(camera.socket.isPaused).toBe(false);
      // Whoever did too much is dealt with in its turn only, even where its socket is read.
      for (const { socket, stream } of hasty) {
        const has = stream.ingest.bytesIn;
        if (!socket.isPaused) socket.receive(read.subarray(0, 1000));
        expect(stream.ingest.bytesIn).toBe(has);
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(hasty.every(({ reasons }) => reasons.length === 0)).toBe(true);
  });

  it('what waits is taken for new when its turn comes, and not for as old as its bytes', async () => {
    const { socket, stream } = open('publisher');
    const times_: number[] = [];
    const write = stream.ingest.write.bind(stream.ingest);
    stream.ingest.write = (type, timestampMs, payload, nowMs) => {
      times_.push(performance.now() - nowMs);
      return write(type, timestampMs, payload, nowMs);
    };
    socket.receive(times(3000, message(MessageType.DataAmf0, encodeAmf0('onFI', { st: 'x' }), 1)));
    // The turns come late, as beside others that wait.
    const lateMs = performance.now() + 200;
    while (performance.now() < lateMs) {}
    const early = times_.length;
    await until(() => !socket.isPaused, 20_000, 'the end of it');
    expect(times_).toHaveLength(3000);
    // Each turn takes a few milliseconds; a clock that stands still would show the whole 200.
    expect(Math.min(...times_.slice(early))).toBeLessThan(100);
  });

  it.each(['stranger', 'publisher'] as const)('so are reads of a byte, as of TLS, of a %s', async (who) => {
    const { socket } = open(who);
    const read = control(MessageType.Acknowledgement, word);
    let reads = 0;
    for (; !socket.isPaused && reads < 20_000; reads++) {
      socket.receive(read.subarray(reads % read.length, (reads % read.length) + 1));
    }
    // What is over is not read before its turn comes.
    expect(reads).toBeLessThan(20_000);
    await until(() => !socket.isPaused, 20_000, 'its turn');
  });

  it('tiny chunks are work too', () => {
    const { socket, answers } = open();
    const before = answers();
    const size = encodeMessage(2, MessageType.SetChunkSize, 0, 0, Buffer.from([0, 0, 0, 1]), 65_536);
    const ping = control(MessageType.UserControl, Buffer.from([0, 6, 0, 0, 0, 1]));
    const tiny = encodeMessage(3, MessageType.CommandAmf0, 0, 0, encodeAmf0('noop', 0, null, 'x'.repeat(20_000)), 1);
    socket.receive(Buffer.concat([size, tiny, ping]));
    expect(answers()).toBe(before);
    expect(socket.isPaused).toBe(true);
  });
});
