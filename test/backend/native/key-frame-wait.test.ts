import { afterEach, expect, it } from 'vitest';
import { keyFrameWait } from '../../../src/backend/native/key-frame-wait.js';
import { NativeBackend } from '../../../src/backend/native/native-backend.js';
import { defaultSettings } from '../../../src/config/index.js';
import { silentLogger } from '../../../src/log/log.js';
import { PublishClient } from '../../../src/rtmp/publish-client.js';
import { MessageType } from '../../../src/wire/message.js';
import { healthy, startTarget, until } from '../../push/targets.js';
import { frame, videoHeader } from '../../relay/fixtures.js';
import { exMessage } from '../../support/enhanced.js';

const { Video } = MessageType;

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  while (cleanups.length > 0) await cleanups.pop()?.();
});

async function start(changes: object = {}) {
  const media = { ...defaultSettings().media, ...changes };
  const backend = new NativeBackend({ settings: { host: '127.0.0.1', rtmpPort: 0, media }, log: silentLogger });
  const { port } = await backend.start();
  cleanups.push(() => backend.stop(2000));
  const target = await startTarget(healthy);
  cleanups.push(() => target.close());
  backend.setCamera({ name: 'gate', pushes: [] });
  const publisher = new PublishClient({ url: `rtmp://127.0.0.1:${port}/gate/gate`, connectTimeoutMs: 2000 });
  await publisher.connect();
  cleanups.push(() => publisher.close());
  const add = () => backend.setCamera({ name: 'gate', pushes: [{ id: 'p', url: target.url, enabled: true }] });
  const push = () => backend.push('gate', 'p');
  return { backend, publisher, target, add, push };
}

it('a push says that it waits for a key frame, since when, and how often one comes', async () => {
  const { publisher, target, add, push, backend } = await start({ gopMaxBytes: 20_000 });
  publisher.write(Video, 0, videoHeader());
  publisher.write(Video, 0, frame(0, true));
  publisher.write(Video, 4000, frame(100, true));
  // The group of pictures is too large to be kept.
  for (let i = 101; i < 150; i++) publisher.write(Video, i * 40, frame(i, false, 1000));
  await until(() => (backend.camera('gate')?.bytesIn ?? 0) > 49_000, 20_000, 'the frames');
  const before = Date.now();
  add();
  await until(() => push()?.reason !== undefined, 20_000, 'the reason');
  const { state, reason, since, conditions } = push() ?? {};
  expect([state, conditions]).toEqual(['connecting', undefined]);
  expect(reason).toMatch(/^waiting for a key frame since \d{4}-.*Z; the camera sends one every 4 s$/);
  const at = Date.parse(/since (\S+Z)/.exec(reason ?? '')?.[1] ?? '');
  expect(at).toBeGreaterThanOrEqual(before - 1);
  expect(Date.parse(since ?? '')).toBeLessThanOrEqual(at + 1000);
  publisher.write(Video, 8000, frame(200, true));
  await until(() => push()?.state === 'active', 20_000, 'the start');
  expect(push()?.reason).toBeUndefined();
  expect(target.media.map(({ payload }) => payload)).toContainEqual(frame(200, true));
});

it('a camera without track 0 is live, named, and pushed', async () => {
  const { publisher, target, add, push, backend } = await start();
  add();
  publisher.write(
    Video,
    0,
    exMessage({
      kind: 'video',
      packet: 0,
      codec: 'av01',
      track: 3,
      body: Buffer.from('81000c000a0b000000043d06d4daf90040', 'hex'),
    }),
  );
  for (let i = 0; i < 5; i++) {
    const body = Buffer.alloc(30, i);
    publisher.write(
      Video,
      i * 40,
      exMessage({ kind: 'video', packet: 1, codec: 'av01', track: 3, isKey: i === 0, body }),
    );
  }
  await until(() => push()?.state === 'active', 20_000, 'the push');
  await until(() => target.media.length === 6, 20_000, 'its frames');
  expect(backend.camera('gate')).toMatchObject({
    ...{ live: true, videoCodec: 'av1', width: 322, height: 182 },
    tracks: [{ kind: 'video', id: 3, isDefault: true, codec: 'av1', profile: 'Main', width: 322, height: 182 }],
  });
});

it('the wait becomes a condition after 10 s, or two intervals', () => {
  const status = { state: 'connecting', awaitedSinceMs: 1_000_000 } as const;
  expect(keyFrameWait({ ...status, awaitedSinceMs: null }, 0, 2e6)).toBeUndefined();
  expect(keyFrameWait({ ...status, state: 'idle' }, 0, 2e6)).toBeUndefined();
  expect(keyFrameWait(status, 0, 1_009_000)).toEqual({
    reason: 'waiting for a key frame since 1970-01-01T00:16:40.000Z; how often the camera sends one is not known yet',
  });
  expect(keyFrameWait(status, 0, 1_011_000)?.condition).toMatchObject({
    code: 'PUSH_KEY_FRAME_AWAITED',
    since: '1970-01-01T00:16:40.000Z',
  });
  expect(keyFrameWait(status, 12_000, 1_023_000)?.condition).toBeUndefined();
  expect(keyFrameWait(status, 12_000, 1_025_000)?.condition?.message).toContain('every 12 s');
});
