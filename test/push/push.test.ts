import { afterEach, describe, expect, it } from 'vitest';
import { PushSnapshotSchema } from '../../src/backend/observed-push.js';
import { defaultSettings } from '../../src/config/index.js';
import { type Logger, silentLogger } from '../../src/log/log.js';
import { Dialer } from '../../src/net/dialer.js';
import { Push } from '../../src/push/push.js';
import { TargetWatch } from '../../src/push/target-watch.js';
import { FlushScheduler } from '../../src/relay/flush-scheduler.js';
import { MessageType } from '../../src/wire/message.js';
import { audioFrame, frame, metadata, videoHeader } from '../relay/fixtures.js';
import { FedStream } from '../support/fed-stream.js';
import { type Behaviour, healthy, type SickTarget, serve, startTarget, until } from './targets.js';

type Session = import('../../src/rtmp/server-session.js').ServerSession;

const settings = { ...defaultSettings().media, connectTimeoutMs: 400, pushRetryMinMs: 50, stallTimeoutMs: 5000 };

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  while (cleanups.length > 0) await cleanups.pop()?.();
});

/** A log whose lines go to a list. */
function linesTo(lines: string[]): Logger {
  const note = (message: string): void => {
    lines.push(message);
  };
  const log: Logger = { ...silentLogger, debug: note, info: note, warn: note, error: note, child: () => log };
  return log;
}

/** A camera that sends 50 frames a second, and one push of it. */
function start(url: string, changes: Partial<typeof settings> = {}, frameBytes = 200, lines: string[] = []) {
  const own = { ...settings, ...changes };
  const stream = new FedStream(
    {
      format: { chunkBytes: own.outChunkBytes, streamId: 1, publishing: true },
      gopMaxBytes: own.gopMaxBytes,
      scheduler: new FlushScheduler(),
    },
    performance.now(),
  );
  const push = new Push({
    url,
    shownUrl: url,
    enabled: true,
    limits: { queueMaxBytes: own.queueMaxBytes, queueMaxAgeMs: own.queueMaxAgeMs },
    settings: own,
    watch: new TargetWatch(50),
    dialer: new Dialer(),
    log: linesTo(lines),
  });
  let number = 0;
  stream.publish(MessageType.DataAmf0, 0, metadata(320), performance.now());
  stream.publish(MessageType.Video, 0, videoHeader(), performance.now());
  const camera = setInterval(() => {
    const nowMs = performance.now();
    stream.publish(MessageType.Video, number * 20, frame(number, number % 25 === 0, frameBytes), nowMs);
    stream.publish(MessageType.Audio, number * 20 + 1, audioFrame(number), nowMs);
    number++;
  }, 20);
  const ticker = setInterval(() => push.tick(performance.now()), 100);
  cleanups.push(async () => {
    clearInterval(camera);
    clearInterval(ticker);
    await push.close();
  });
  push.begin(stream);
  const status = () => push.status(performance.now());
  /** State changes so far, as `a -> b`. */
  const states = () => push.events.filter(({ kind }) => kind === 'state').map(({ text }) => text);
  return { push, stream, status, states, stopCamera: () => clearInterval(camera), sent: () => number };
}

async function target(behave: Behaviour, port?: number): Promise<SickTarget> {
  const started = await startTarget(behave, port);
  cleanups.push(() => started.close());
  return started;
}

describe('the states of a push, by what its target does', () => {
  it('healthy: connecting, active, and everything arrives, to the last frame', async () => {
    const sink = await target(healthy);
    const { push, status, states, stopCamera, sent } = start(sink.url);
    await until(() => status().state === 'active' && sink.media.length > 40, 20_000, 'active');
    // Each figure of the schema is measured here, under the name that it has there.
    const {
      id: _id,
      url: _url,
      reason: _reason,
      node: _node,
      conditions: _conditions,
      ...figures
    } = PushSnapshotSchema.properties;
    expect(Object.keys(status()).sort()).toEqual(Object.keys(figures).sort());
    stopCamera();
    push.end();
    await push.drained();
    await until(() => sink.ended.length === 1, 20_000, 'a goodbye');
    expect(states()).toEqual(['idle -> connecting', 'connecting -> active', 'active -> idle']);
    const video = sink.media.filter(({ type, payload }) => type === MessageType.Video && payload[1] === 1);
    expect(video.map(({ payload }) => payload.readUInt32BE(5))).toEqual(Array.from({ length: sent() }, (_, i) => i));
    expect(status()).toMatchObject({
      attempt: 0,
      lastError: null,
      connects: 1,
      droppedBy: { bytes: 0, age: 0, total: 0 },
    });
    expect(status().framesOut).toBe(2 * sent());
  });

  const failing: [string, Behaviour, string][] = [
    ['closes at once', (socket) => socket.end(), 'TARGET_CLOSED'],
    ['resets at once', (socket) => socket.resetAndDestroy(), 'TARGET_CLOSED'],
    ['never answers the handshake', () => {}, 'TARGET_TIMEOUT'],
    ['speaks HTTP', (socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'.repeat(100)), 'TARGET_HANDSHAKE'],
    [
      'refuses the application',
      (socket, sink) =>
        serve(socket, sink, {
          session: (session) => {
            sessions.set(socket, session);
          },
          onConnect: () => sessions.get(socket)?.refuseConnect('NetConnection.Connect.Rejected', 'no such app'),
        }),
      'TARGET_CONNECT_REJECTED',
    ],
    [
      'refuses the key',
      (socket, sink) =>
        serve(socket, sink, {
          session: (session) => {
            sessions.set(socket, session);
          },
          onPublish: ({ streamId }) => sessions.get(socket)?.refusePublish(streamId, 'NetStream.Publish.BadName', 'no'),
        }),
      'TARGET_PUBLISH_REJECTED',
    ],
    ['never answers connect', (socket, sink) => serve(socket, sink, { onConnect() {} }), 'TARGET_TIMEOUT'],
  ];
  const sessions = new WeakMap<object, import('../../src/rtmp/server-session.js').ServerSession>();

  it.each(failing)('%s: connecting, waiting, and again', async (_what, behave, code) => {
    const sink = await target(behave);
    const { status, states } = start(sink.url);
    await until(() => status().state === 'waiting', 20_000, 'waiting');
    const { lastError, attempt, nextRetryAt, connects } = status();
    expect(lastError?.code).toBe(code);
    expect(lastError?.message).toContain(`127.0.0.1:${sink.port}`);
    expect(attempt).toBe(1);
    expect(connects).toBe(0);
    expect(Date.parse(nextRetryAt ?? '')).toBeGreaterThan(Date.now() - 1000);
    expect(states()).toEqual(['idle -> connecting', 'connecting -> waiting']);
  });

  it('refuses TCP: waits, and is back soon after the target listens, however long the pause', async () => {
    const closed = await startTarget(healthy);
    await closed.close();
    const { status } = start(closed.url, { pushRetryMinMs: 60_000, pushRetryMaxMs: 60_000 });
    await until(() => status().state === 'waiting', 20_000, 'waiting');
    expect(status().lastError?.code).toBe('TARGET_REFUSED');
    const sink = await target(healthy, closed.port);
    await until(() => status().state === 'active', 20_000, 'active again');
    await until(() => sink.media.some(({ type }) => type === MessageType.Video), 20_000, 'video');
    const first = sink.media.find(({ type, payload }) => type === MessageType.Video && payload[1] === 1);
    expect(first?.payload[0]).toBe(0x17);
  });

  it('does not resolve: waits with the reason', async () => {
    const { status } = start('rtmp://does-not-exist.invalid/live/cam', { connectTimeoutMs: 5000 });
    await until(() => status().state === 'waiting', 20_000, 'waiting');
    expect(status().lastError?.code).toBe('TARGET_DNS');
  });

  it('stops reading: stalled, given up, and back on a key frame when it reads again', async () => {
    let reading = false;
    const sink = await target((socket, self) => {
      healthy(socket, self);
      if (!reading) setTimeout(() => socket.pause(), 300);
    });
    const { status, states } = start(sink.url, { stallTimeoutMs: 4000, queueMaxBytes: 1 << 20 }, 60_000);
    await until(() => status().state === 'stalled', 20_000, 'stalled');
    await until(() => status().state === 'waiting', 20_000, 'given up');
    expect(status().lastError?.code).toBe('TARGET_STALLED');
    expect(status().queueBytes ?? 0).toBe(0);
    reading = true;
    const before = sink.media.length;
    await until(() => status().state === 'active' && sink.media.length > before + 10, 20_000, 'active again');
    const first = sink.media.slice(before).find(({ type, payload }) => type === MessageType.Video && payload[1] === 1);
    expect(first?.payload[0]).toBe(0x17);
    expect(states().slice(0, 4)).toEqual([
      'idle -> connecting',
      'connecting -> active',
      'active -> stalled',
      'stalled -> waiting',
    ]);
  });
});

describe('what a review found', () => {
  it('a target that only pings and reads nothing stayed active for ever', async () => {
    const ping = Buffer.from([2, 0, 0, 0, 0, 0, 6, 4, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0]);
    const sink = await target((socket, self) => {
      healthy(socket, self);
      setTimeout(() => {
        socket.pause();
        const timer = setInterval(() => socket.write(ping), 200);
        socket.on('close', () => clearInterval(timer));
      }, 300);
    });
    const { status } = start(sink.url, { stallTimeoutMs: 4000, queueMaxBytes: 1 << 20 }, 60_000);
    await until(() => status().state === 'waiting', 28_000, 'given up');
    expect(status().lastError?.code).toBe('TARGET_STALLED');
  });

  it('rtmps targets were sent to in the clear', async () => {
    const bytes: Buffer[] = [];
    const sink = await target((socket) => {
      socket.on('data', (data) => {
        bytes.push(data);
        socket.end('no TLS here');
      });
    });
    const { status } = start(sink.url.replace('rtmp:', 'rtmps:'), { connectTimeoutMs: 5000 });
    await until(() => status().state === 'waiting', 20_000, 'waiting');
    expect(status().lastError).toMatchObject({ code: 'TARGET_TLS' });
    // A TLS record of a handshake, and nothing behind the first flight.
    expect(bytes[0]?.subarray(0, 2)).toEqual(Buffer.from([0x16, 0x03]));
    expect(sink.media).toEqual([]);
  });

  it('keys that a target repeats in its words were logged and shown', async () => {
    const sessions = new WeakMap<object, import('../../src/rtmp/server-session.js').ServerSession>();
    const sink = await target((socket, self) =>
      serve(socket, self, {
        session: (session) => {
          sessions.set(socket, session);
        },
        onPublish: ({ streamId }) =>
          sessions.get(socket)?.refusePublish(streamId, 'NetStream.Bad.s3cret-key', 'key s3cret-key of p%th is wrong'),
      }),
    );
    const { push, status } = start(`${sink.url}?key=s3cret-key`);
    await until(() => status().state === 'waiting', 20_000, 'waiting');
    expect(JSON.stringify([status(), push.events])).not.toContain('s3cret');
    expect(status().lastError?.message).toContain('key *** of p%th is wrong');
  });
});

describe('retries', () => {
  it('double up to the maximum, each at least three quarters of its length', async () => {
    const sink = await target((socket) => socket.end());
    start(sink.url, { pushRetryMinMs: 40, pushRetryMaxMs: 320 });
    await until(() => sink.connectedMs.length >= 7, 20_000, 'seven tries');
    const pauses = sink.connectedMs.slice(1).map((at, i) => at - (sink.connectedMs[i] ?? 0));
    const nominal = [40, 80, 160, 320, 320, 320];
    for (const [i, pause] of pauses.slice(0, 6).entries()) expect(pause).toBeGreaterThan((nominal[i] ?? 0) * 0.75 - 5);
  });

  it('are slow when the target refuses the key, and at once when asked for', async () => {
    const sessions = new WeakMap<object, import('../../src/rtmp/server-session.js').ServerSession>();
    let refuse = true;
    const sink = await target((socket, self) =>
      serve(socket, self, {
        session: (session) => {
          sessions.set(socket, session);
        },
        onPublish: ({ streamId }) => {
          if (refuse) sessions.get(socket)?.refusePublish(streamId, 'NetStream.Publish.BadName', 'wrong key');
          else sessions.get(socket)?.acceptPublish(streamId);
        },
      }),
    );
    const { push, status } = start(sink.url);
    await until(() => status().state === 'waiting', 20_000, 'waiting');
    expect(Date.parse(status().nextRetryAt ?? '') - Date.now()).toBeGreaterThan(1000);
    refuse = false;
    expect(push.retry()).toBe(true);
    await until(() => status().state === 'active', 20_000, 'active');
    expect(push.retry()).toBe(false);
  });

  it('end when the push is disabled, or closed, and nothing is left behind', async () => {
    const sink = await target((socket) => socket.end());
    const { push, status } = start(sink.url);
    await until(() => sink.connectedMs.length >= 2, 20_000, 'tries');
    push.setEnabled(false);
    expect(status().state).toBe('disabled');
    const tries = sink.connectedMs.length;
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(sink.connectedMs.length).toBe(tries);
    push.setEnabled(true);
    await until(() => sink.connectedMs.length > tries, 20_000, 'tries again');
  });
});

describe('a camera that leaves and returns', () => {
  it('keeps its connection through the pause, and timestamps keep going up', async () => {
    const sink = await target(healthy);
    const { push, stream, status, states, stopCamera } = start(sink.url);
    await until(() => sink.media.length > 20, 20_000, 'media');
    stopCamera();
    push.pause();
    expect(status().state).toBe('idle');
    await new Promise((resolve) => setTimeout(resolve, 300));
    stream.restart();
    push.begin(stream);
    const before = sink.media.length;
    const nowMs = performance.now();
    stream.publish(MessageType.DataAmf0, 0, metadata(640), nowMs);
    stream.publish(MessageType.Video, 0, videoHeader(2), nowMs);
    stream.publish(MessageType.Video, 0, frame(999, false), nowMs);
    stream.publish(MessageType.Audio, 0, audioFrame(1), nowMs);
    stream.publish(MessageType.Video, 10, frame(1000, true), nowMs);
    await until(() => sink.media.length >= before + 4, 20_000, 'media again');
    expect(sink.connectedMs.length).toBe(1);
    expect(status().connects).toBe(1);
    await until(() => status().state === 'active', 20_000, 'active again');
    expect(states().slice(-2)).toEqual(['idle -> connecting', 'connecting -> active']);
    const again = sink.media.slice(before);
    expect(again.map(({ type }) => type)).toEqual([18, 9, 8, 9]);
    expect(again[3]?.payload).toEqual(frame(1000, true));
    const times = sink.media.filter(({ type }) => type === MessageType.Video).map(({ timestampMs }) => timestampMs);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    // By as much as really went by: about 300 ms, and not the restart at zero.
    const gap = (again[3]?.timestampMs ?? 0) - (sink.media[before - 1]?.timestampMs ?? 0);
    expect(gap).toBeGreaterThan(250);
  });

  it('delivers what was sent by a camera that left before its target had answered', async () => {
    const sink = await target((socket, own) => setTimeout(() => healthy(socket, own), 150));
    const { push, stream, status, stopCamera } = start(sink.url);
    stopCamera();
    stream.publish(MessageType.Video, 0, frame(7, true), performance.now());
    push.pause();
    await until(() => sink.media.length === 3, 20_000, 'metadata, header and the frame');
    expect(sink.media.at(-1)?.payload).toEqual(frame(7, true));
    stream.restart();
    push.begin(stream);
    stream.publish(MessageType.Video, 0, frame(8, true), performance.now());
    await until(() => sink.media.length === 4 && status().state === 'active', 20_000, 'the camera again');
    expect(sink.connectedMs.length).toBe(1);
  });

  it('is not connected to twice when it returns before its target had answered', async () => {
    const sink = await target((socket, own) => setTimeout(() => healthy(socket, own), 150));
    const { push, stream, status } = start(sink.url);
    push.pause();
    stream.restart();
    push.begin(stream);
    await until(() => sink.media.length > 5 && status().state === 'active', 20_000, 'media');
    expect(sink.connectedMs.length).toBe(1);
  });
});

describe('a push that ends', () => {
  const ends: [string, (push: Push) => void][] = [
    ['that is removed', (push) => void push.close()],
    ['that is switched off', (push) => push.setEnabled(false)],
    ['whose camera is gone', (push) => push.end()],
  ];
  it.each(ends)('%s while it is far behind still sends all that came before', async (_how, end) => {
    let accept: (() => void) | undefined;
    const sink = await target((socket, self) => {
      let session: Session | undefined;
      serve(socket, self, {
        session: (made) => {
          session = made;
        },
        onPublish: ({ streamId }) => {
          accept = () => session?.acceptPublish(streamId);
        },
      });
    });
    // A group of pictures of more than it writes in one turn of the event loop.
    const { push, status, stopCamera, sent } = start(sink.url, { connectTimeoutMs: 20_000 }, 100_000);
    await until(() => accept !== undefined && sent() % 25 >= 15, 20_000, 'a group of pictures');
    stopCamera();
    accept?.();
    while (status().connects === 0) await new Promise(setImmediate);
    end(push);
    await until(() => sink.ended.length === 1, 20_000, 'a goodbye');
    const numbers = sink.media
      .filter(({ type, payload }) => type === MessageType.Video && payload[1] === 1)
      .map(({ payload }) => payload.readUInt32BE(5));
    expect(numbers.at(-1)).toBe(sent() - 1);
    expect(numbers).toEqual(numbers.map((_, i) => numbers[0]! + i));
  });
});

describe('a target that takes media for a moment and fails, for ever', () => {
  /** Fails by `fail` so long after it accepted the publish. */
  const failingAfter =
    (ms: number, fail: (socket: import('node:net').Socket, session: Session | undefined, streamId: number) => void) =>
    (...[socket, self]: Parameters<Behaviour>) => {
      let session: Session | undefined;
      serve(socket, self, {
        session: (made) => {
          session = made;
        },
        onPublish: ({ streamId }) => {
          session?.acceptPublish(streamId);
          setTimeout(() => fail(socket, session, streamId), ms);
        },
      });
    };
  const ways: [string, Behaviour][] = [
    ['closes', failingAfter(300, (socket) => socket.end())],
    ['resets', failingAfter(300, (socket) => socket.resetAndDestroy())],
    [
      'answers an error',
      failingAfter(300, (_s, session, id) => session?.status(id, 'error', 'NetStream.Failed', 'no')),
    ],
    ['sends garbage', failingAfter(300, (socket) => socket.write(Buffer.alloc(64, 0xff)))],
    ['closes after longer, so that it is watched', failingAfter(1100, (socket) => socket.end())],
  ];
  it('the pauses double all the same, with few lines in the log', async () => {
    const outcomes = ways.map(async ([way, behave]) => {
      const sink = await target(behave);
      const lines: string[] = [];
      const { status } = start(sink.url, { pushRetryMinMs: 100, pushRetryMaxMs: 3200 }, 200, lines);
      await until(() => status().attempt >= 3, 20_000, `three failures: ${way}`);
      const before = sink.connectedMs.length;
      await new Promise((resolve) => setTimeout(resolve, 3000));
      return {
        way,
        // Every 300 ms, they were; now the pauses are 400, 800, 1600 ms, each followed by the failure, perhaps by a knock.
        isPaced: sink.connectedMs.length - before <= 7,
        goesOn: status().attempt > 3,
        active: lines.filter((line) => line.includes('push is active')).length,
        isQuiet: lines.filter((line) => line.includes('push failed')).length <= 2,
      };
    });
    const expected = ways.map(([way]) => ({ way, isPaced: true, goesOn: true, active: 1, isQuiet: true }));
    expect(await Promise.all(outcomes)).toEqual(expected);
  });
});
