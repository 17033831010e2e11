import { describe, expect, it } from 'vitest';
import { defaultSettings } from '../../src/config/index.js';
import { CodedError } from '../../src/errors.js';
import { type LogFields, type Logger, silentLogger } from '../../src/log/log.js';
import { ServerConnection } from '../../src/rtmp/server-connection.js';
import type { StreamHost } from '../../src/rtmp/stream-host.js';
import { encodeAmf0 } from '../../src/wire/amf0.js';
import { encodeMessage } from '../../src/wire/chunk-writer.js';
import { MessageType } from '../../src/wire/message.js';
import { FakeSocket } from '../fuzz/fake-socket.js';
import { until } from '../push/targets.js';

const handshake = Buffer.concat([Buffer.from([3]), Buffer.alloc(3072)]);

function command(streamId: number, ...values: Parameters<typeof encodeAmf0>): Buffer {
  return encodeMessage(3, MessageType.CommandAmf0, 0, streamId, encodeAmf0(...values), 128);
}

/** A connection whose host refuses every application but `cam`, and counts what it granted. */
function open() {
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
    ...{ socket, settings: defaultSettings().media, host, log },
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
});
