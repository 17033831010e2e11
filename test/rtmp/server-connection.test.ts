import { describe, expect, it } from 'vitest';
import { defaultSettings } from '../../src/config/index.js';
import { CodedError } from '../../src/errors.js';
import { type LogFields, type Logger, silentLogger } from '../../src/log/log.js';
import { FlushScheduler } from '../../src/relay/flush-scheduler.js';
import { ServerConnection } from '../../src/rtmp/server-connection.js';
import type { Ingest, Publisher, PublishGrant, StreamHost } from '../../src/rtmp/stream-host.js';
import { UnfinishedBudget } from '../../src/rtmp/unfinished-budget.js';
import { encodeAmf0 } from '../../src/wire/amf0.js';
import { encodeMessage } from '../../src/wire/chunk-writer.js';
import { MessageType } from '../../src/wire/message.js';
import { FakeSocket } from '../fuzz/fake-socket.js';
import { until } from '../push/targets.js';
import { audioFrame, audioHeader, frame, targetFormat, videoHeader } from '../relay/fixtures.js';
import { FedStream } from '../support/fed-stream.js';

const handshake = Buffer.concat([Buffer.from([3]), Buffer.alloc(3072)]);

function command(streamId: number, ...values: Parameters<typeof encodeAmf0>): Buffer {
  return encodeMessage(3, MessageType.CommandAmf0, 0, streamId, encodeAmf0(...values), 128);
}

/** One message inside an aggregate. */
function part(type: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(11);
  header[0] = type;
  header.writeUIntBE(payload.length, 1, 3);
  return Buffer.concat([header, payload, Buffer.alloc(4)]);
}

/** A connection whose host refuses every application but `cam`, and counts what it granted. */
function open(unfinished = new UnfinishedBudget(1e9)) {
  const granted: string[] = [];
  const reasons: unknown[] = [];
  const host: StreamHost = {
    connect({ app }) {
      if (app !== 'cam') throw new CodedError('PUBLISH_NOT_REGISTERED', 'no such camera');
    },
    admitPublisher: () => () => {
      granted.push('publish');
      throw new CodedError('PUBLISH_ALREADY_LIVE', 'enough for this test');
    },
    admitViewer: () => () => {
      granted.push('play');
      throw new CodedError('PLAY_NOT_FOUND', 'enough for this test');
    },
  };
  const note = (_message: string, fields?: LogFields): number => reasons.push(fields?.reason);
  const log: Logger = { ...silentLogger, info: note, warn: note, error: note, child: () => log };
  const socket = new FakeSocket(1, () => {});
  new ServerConnection({
    ...{ socket, settings: defaultSettings().media, host, log, unfinished },
    onClosed() {},
  });
  return { socket, granted, reasons };
}

describe('a connection', () => {
  it.each([
    ['publish', 'publish'],
    ['play', 'play'],
  ])('that was refused is not granted a %s that came in the same read', (_what, name) => {
    const { socket, granted, reasons } = open();
    socket.receive(
      Buffer.concat([
        handshake,
        command(0, 'connect', 1, { app: 'nobody' }),
        command(0, 'connect', 2, { app: 'cam' }),
        command(0, 'createStream', 3, null),
        command(1, name, 4, null, 'cam'),
      ]),
    );
    expect(socket.destroyed).toBe(true);
    expect(granted).toEqual([]);
    expect(reasons).toHaveLength(1);
    expect(reasons[0]).toContain('PUBLISH_NOT_REGISTERED');
  });

  it('that was refused in the middle of an aggregate leaves nothing of the rest in memory', () => {
    const unfinished = new UnfinishedBudget(1e9);
    const { socket, granted, reasons } = open(unfinished);
    const audio = Array.from({ length: 1000 }, () => part(MessageType.Audio, audioFrame(1)));
    const parts = [
      part(MessageType.CommandAmf0, encodeAmf0('connect', 1, { app: 'nobody' })),
      ...audio,
      part(MessageType.CommandAmf0, encodeAmf0('connect', 2, { app: 'cam' })),
    ];
    socket.receive(
      Buffer.concat([handshake, encodeMessage(3, MessageType.Aggregate, 0, 0, Buffer.concat(parts), 128)]),
    );
    expect(socket.destroyed).toBe(true);
    expect([granted, reasons.length]).toEqual([[], 1]);
    expect(unfinished.bytes).toBe(0);
  });

  it('that publishes counts as alive from the decision on, however long that took', async () => {
    let decide = (_grant: PublishGrant): void => {};
    const admitted = new Promise<PublishGrant>((resolve) => {
      decide = resolve;
    });
    const host: StreamHost = {
      connect() {},
      admitPublisher: () => admitted,
      admitViewer: () => () => ({ stream: null, end() {} }),
    };
    const socket = new FakeSocket(1, () => {});
    const settings = defaultSettings().media;
    new ServerConnection({ socket, settings, host, log: silentLogger, onClosed() {} });
    const asks = [command(0, 'connect', 1, { app: 'cam' }), command(0, 'createStream', 3, null)];
    socket.receive(Buffer.concat([handshake, ...asks, command(1, 'publish', 4, null, 'cam')]));
    await new Promise((resolve) => setTimeout(resolve, 30));
    const decidedMs = performance.now();
    const publishers: Publisher[] = [];
    const ingest: Ingest = { write: () => true, end() {} };
    decide((publisher) => {
      publishers.push(publisher);
      return ingest;
    });
    await until(() => publishers.length > 0, 20_000, 'the publish');
    await new Promise(setImmediate);
    expect(publishers[0]?.lastMediaMs).toBeGreaterThanOrEqual(Math.floor(decidedMs));
  });

  it('is ended when it asks on and on and reads none of the answers', async () => {
    const { socket, reasons } = open();
    socket.receive(Buffer.concat([handshake, command(0, 'connect', 1, { app: 'cam' })]));
    socket.full = true;
    const echo = Buffer.alloc(30_000, 0x78).toString();
    const long = Buffer.concat([command(0, 'FCPublish', 5, null, echo), command(0, 'FCPublish', 6, null, echo)]);
    for (let i = 0; i < 100 && !socket.destroyed; i++) {
      socket.receive(long);
      await until(() => !socket.isPaused, 20_000, 'its turn');
    }
    expect(socket.destroyed).toBe(true);
    expect(socket.pendingBytes).toBeLessThan(300 * 1024);
    expect(reasons).toEqual([expect.stringContaining('RTMP_LIMIT')]);
  });

  /** A viewer of a stream, and what is written to it. */
  function view(stream: FedStream) {
    const host: StreamHost = {
      connect() {},
      admitPublisher: () => () => {
        throw new CodedError('PUBLISH_ALREADY_LIVE', 'enough for this test');
      },
      admitViewer: () => () => ({ stream, end() {} }),
    };
    const written: Buffer[] = [];
    const socket = new FakeSocket(1, (data) => written.push(Buffer.from(data)));
    const settings = defaultSettings().media;
    const connection = new ServerConnection({ socket, settings, host, log: silentLogger, onClosed() {} });
    const asks = [command(0, 'connect', 1, { app: 'cam' }), command(0, 'createStream', 3, null)];
    socket.receive(Buffer.concat([handshake, ...asks, command(1, 'play', 4, null, 'cam')]));
    return { connection, socket, placeOf: (payload: Buffer | string) => Buffer.concat(written).lastIndexOf(payload) };
  }

  it.each(['shutDown', 'close'] as const)('of a viewer gets all that came before its end: %s', async (how) => {
    const scheduler = new FlushScheduler({ windowMs: 60_000, audioWindowMs: 60_000 });
    const stream = new FedStream({ format: targetFormat, gopMaxBytes: 1e6, scheduler }, performance.now());
    const publish = (type: number, payload: Buffer): void => void stream.publish(type, 0, payload, performance.now());
    publish(MessageType.Video, videoHeader());
    publish(MessageType.Audio, audioHeader());
    publish(MessageType.Video, frame(0, true));
    const { connection, placeOf } = view(stream);
    // The first round is made at once; what follows waits.
    publish(MessageType.Audio, audioFrame(1));
    await new Promise(setImmediate);
    const last = [frame(77, false), audioFrame(78)];
    publish(MessageType.Video, last[0]!);
    publish(MessageType.Audio, last[1]!);
    expect(last.map(placeOf)).toEqual([-1, -1]);
    if (how === 'close') connection.close(new CodedError('PUBLISH_NOT_REGISTERED', 'it was removed'));
    else connection.shutDown();
    const [video = -1, audio = -1] = last.map(placeOf);
    expect(video).toBeGreaterThan(0);
    expect(audio).toBeGreaterThan(video);
    // The word that it is over comes behind.
    expect(placeOf('NetStream.')).toBeGreaterThan(audio);
  });

  it.each([true, false])(
    'of a viewer that is behind at a shutdown gets what waits, if it takes it (%s)',
    async (isTaken) => {
      const stream = new FedStream(
        { format: targetFormat, gopMaxBytes: 1e6, scheduler: new FlushScheduler() },
        performance.now(),
      );
      const publish = (payload: Buffer): void => void stream.publish(MessageType.Video, 0, payload, performance.now());
      publish(videoHeader());
      publish(frame(0, true));
      const { connection, socket, placeOf } = view(stream);
      socket.full = true;
      for (const number of [1, 2]) {
        publish(frame(number, false, 90_000));
        stream.flush(performance.now());
      }
      const last = frame(3, false);
      publish(last);
      connection.shutDown();
      // Its camera ends at the same time, and it is ended by its camera.
      connection.close(new CodedError('RTMP_TIMEOUT', 'the aggregator is shutting down'));
      expect([socket.destroyed, placeOf(last)]).toEqual([false, -1]);
      if (isTaken) socket.drain();
      await until(() => socket.destroyed, 20_000, 'the end');
      if (isTaken) expect(placeOf(last)).toBeGreaterThan(0);
      expect(placeOf('NetStream.Play.Stop')).toBeGreaterThan(placeOf(last));
    },
  );
});
