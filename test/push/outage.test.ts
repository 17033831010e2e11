import { afterEach, describe, expect, it } from 'vitest';
import { NativeBackend } from '../../src/backend/native/native-backend.js';
import { defaultSettings } from '../../src/config/index.js';
import { silentLogger } from '../../src/log/log.js';
import { causeOf, Outage } from '../../src/push/outage.js';
import { PublishClient } from '../../src/rtmp/publish-client.js';
import type { ServerSession } from '../../src/rtmp/server-session.js';
import { MessageType } from '../../src/wire/message.js';
import { audioFrame, frame, metadata, videoHeader } from '../relay/fixtures.js';
import { type Behaviour, healthy, serve, startTarget, until } from './targets.js';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  while (cleanups.length > 0) await cleanups.pop()?.();
});

/** A live camera with one push to a target whose behaviour may be changed, seen as v1 sees it. */
async function pushTo(behave: Behaviour, changes: object = {}) {
  let current = behave;
  const target = await startTarget((socket, self) => current(socket, self));
  cleanups.push(() => target.close());
  const media = {
    ...{ ...defaultSettings().media, pushRetryMinMs: 20, pushRetryMaxMs: 100, connectTimeoutMs: 2000 },
    ...changes,
  };
  const backend = new NativeBackend({ settings: { host: '127.0.0.1', rtmpPort: 0, media }, log: silentLogger });
  const { port } = await backend.start();
  cleanups.push(() => backend.stop(1000));
  backend.setCamera({ name: 'gate', pushes: [{ id: 'p', url: target.url, enabled: true }] });
  const publisher = new PublishClient({ url: `rtmp://127.0.0.1:${port}/gate/gate`, connectTimeoutMs: 5000 });
  await publisher.connect();
  publisher.write(MessageType.DataAmf0, 0, metadata(640));
  publisher.write(MessageType.Video, 0, videoHeader());
  let number = 0;
  const timer = setInterval(() => {
    publisher.write(MessageType.Video, number * 20, frame(number, number % 25 === 0));
    publisher.write(MessageType.Audio, number * 20, audioFrame(number));
    number++;
  }, 20);
  const stopCamera = async (): Promise<void> => {
    clearInterval(timer);
    await publisher.close();
  };
  cleanups.push(stopCamera);
  const push = () => {
    const seen = backend.push('gate', 'p');
    if (seen === undefined) throw new Error('there is no push');
    return seen;
  };
  await until(() => backend.push('gate', 'p') !== undefined, 20_000, 'the push');
  const become = (next: Behaviour): void => {
    current = next;
  };
  return { backend, target, push, become, stopCamera };
}

const refusing: Behaviour = (socket, target) => {
  let session: ServerSession | undefined;
  serve(socket, target, {
    session: (made) => {
      session = made;
    },
    onPublish: ({ streamId }) => session?.refusePublish(streamId, 'NetStream.Publish.BadName', 'already publishing'),
  });
};

describe('an outage of a push', () => {
  it('is one, with its first error, through all retries, states and other errors', async () => {
    const { push, become } = await pushTo((socket) => socket.end());
    await until(() => (push().attempt ?? 0) >= 3, 20_000, 'three tries');
    const { downSince, firstError } = push();
    expect(downSince).not.toBeNull();
    expect(firstError?.code).toBe('TARGET_CLOSED');
    become(refusing);
    await until(() => push().lastError?.code === 'TARGET_PUBLISH_REJECTED', 20_000, 'the other error');
    expect(push()).toMatchObject({ downSince, firstError });
    expect(push().reason).toContain('TARGET_CLOSED');
    expect(push().reason).toContain('consequence');
  });

  it('does not end with a short success, and ends when media has flowed for a while', async () => {
    const { push, become, target } = await pushTo((socket) => socket.end());
    await until(() => (push().attempt ?? 0) >= 2, 20_000, 'two tries');
    const { downSince } = push();
    // It takes media for a moment, and closes.
    become((socket, self) => {
      healthy(socket, self);
      const look = setInterval(() => {
        if (self.media.length < 5) return;
        clearInterval(look);
        self.media.length = 0;
        socket.destroy();
      }, 5);
    });
    const before = push().connects ?? 0;
    await until(() => (push().connects ?? 0) >= before + 3, 20_000, 'three short successes');
    expect(push().downSince).toBe(downSince);
    become(healthy);
    await until(() => push().downSince === null, 30_000, 'the end of the outage');
    expect(push()).toMatchObject({ state: 'active', firstError: null, attempt: 0 });
    expect(target.media.length).toBeGreaterThan(5);
  });

  it('is over when the camera leaves or the push is disabled', async () => {
    const { backend, push, target, stopCamera } = await pushTo((socket) => socket.end(), { publishGraceMs: 0 });
    await until(() => push().downSince !== null, 20_000, 'an outage');
    backend.setCamera({ name: 'gate', pushes: [{ id: 'p', url: target.url, enabled: false }] });
    expect(push()).toMatchObject({ state: 'disabled', downSince: null, firstError: null });
    backend.setCamera({ name: 'gate', pushes: [{ id: 'p', url: target.url, enabled: true }] });
    await until(() => push().downSince !== null, 20_000, 'an outage again');
    await stopCamera();
    await until(() => push().state === 'idle', 20_000, 'idle');
    expect(push()).toMatchObject({ downSince: null, firstError: null });
  });

  it('names the likely cause of a connection that is closed on the way', async () => {
    const words: [Behaviour, string][] = [
      [(socket) => socket.end(), 'not that of an RTMP server'],
      [(socket, self) => serve(socket, self, { onConnect: () => socket.end() }), 'no application of this name'],
      [
        (socket, self) => serve(socket, self, { onConnect: () => socket.resetAndDestroy() }),
        'no application of this name',
      ],
      [(socket, self) => serve(socket, self, { onPublish: () => socket.end() }), 'refuses the stream name or key'],
    ];
    for (const [behave, expected] of words) {
      const { push } = await pushTo(behave);
      await until(() => push().lastError !== null, 20_000, expected);
      expect(push().lastError?.message).toContain(expected);
      await cleanups.pop()?.();
    }
  });
});

it('a target that only stalled for a moment leaves no outage behind', () => {
  const outage = new Outage();
  outage.stalled(1000);
  expect(outage.sinceMs).toBe(1000);
  outage.flows();
  expect(outage.sinceMs).toBeNull();
  outage.stalled(5000);
  outage.failed({ code: 'TARGET_STALLED', message: 'took nothing', atMs: 20_000 });
  outage.flows();
  expect(outage.sinceMs).toBe(5000);
  outage.failed({ code: 'TARGET_PUBLISH_REJECTED', message: 'already publishing', atMs: 21_000 });
  expect(outage.first?.code).toBe('TARGET_STALLED');
  expect(causeOf(outage)).toContain('still holds the stream');
  outage.end();
  expect(outage).toMatchObject({ sinceMs: null, first: null, last: null });
});
