import { afterEach, expect, it } from 'vitest';
import { NativeBackend } from '../../../src/backend/native/native-backend.js';
import { defaultSettings } from '../../../src/config/index.js';
import { BackendWatch } from '../../../src/control/backend-watch.js';
import { EventFeed } from '../../../src/events/event-feed.js';
import { type Logger, silentLogger } from '../../../src/log/log.js';
import { PublishClient } from '../../../src/rtmp/publish-client.js';
import { MessageType } from '../../../src/wire/message.js';
import { healthy, startTarget, until } from '../../push/targets.js';
import { audioFrame, frame, metadata, videoHeader } from '../../relay/fixtures.js';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  while (cleanups.length > 0) await cleanups.pop()?.();
});

it.each(['pass', 'drop'] as const)(
  'a camera without key frames, %s: seen at camera and push, told and warned of once',
  async (mode) => {
    const warnings: string[] = [];
    const log: Logger = { ...silentLogger, warn: (message) => warnings.push(message), child: () => log };
    const media = { ...defaultSettings().media, withoutKeyFrames: mode };
    const backend = new NativeBackend({ settings: { host: '127.0.0.1', rtmpPort: 0, media }, log });
    const { port } = await backend.start();
    cleanups.push(() => backend.stop(2000));
    const feed = new EventFeed();
    const events: { type: string; camera?: string; code?: string }[] = [];
    feed.subscribe((event) => events.push(JSON.parse(event.json)));
    const watch = new BackendWatch(feed);
    watch.register('gate');
    backend.observe(watch);
    const target = await startTarget(healthy);
    cleanups.push(() => target.close());
    backend.setCamera({ name: 'gate', pushes: [{ id: 'p', url: target.url, enabled: true }] });
    const publisher = new PublishClient({ url: `rtmp://127.0.0.1:${port}/gate/gate`, connectTimeoutMs: 2000 });
    await publisher.connect();
    let number = 0;
    let keyAt = -1;
    publisher.write(MessageType.DataAmf0, 0, metadata(640));
    publisher.write(MessageType.Video, 0, videoHeader());
    const timer = setInterval(() => {
      publisher.write(MessageType.Video, number * 40, frame(number, number === keyAt));
      publisher.write(MessageType.Audio, number * 40, audioFrame(number));
      number++;
    }, 40);
    cleanups.push(async () => {
      clearInterval(timer);
      await publisher.close();
    });
    const conditions = () => {
      const seen = backend.camera('gate');
      return [seen, ...(seen?.pushes ?? [])].map((each) => each?.conditions?.map(({ code }) => code) ?? []);
    };
    const pictures = () => target.media.filter(({ type, payload }) => type === MessageType.Video && payload[1] === 1);
    await until(() => number > 25, 20_000, 'frames');
    expect(conditions()).toEqual([[], []]);
    await until(() => conditions().every((codes) => codes.includes('NO_KEY_FRAME')), 20_000, 'the condition');
    await until(() => target.media.filter(({ type }) => type === MessageType.Audio).length > 10, 20_000, 'audio');
    expect(pictures().length > 0).toBe(mode === 'pass');
    keyAt = number + 5;
    await until(() => conditions().every((codes) => codes.length === 0), 20_000, 'the end of the condition');
    await until(() => pictures().some(({ payload }) => payload[0] === 0x17), 20_000, 'the key frame');
    expect(warnings.filter((text) => text.includes('key frames'))).toHaveLength(1);
    const told = events.filter(({ type }) => type.startsWith('problem'));
    expect(told).toMatchObject([
      { type: 'problem.raised', camera: 'gate', code: 'NO_KEY_FRAME' },
      { type: 'problem.cleared', camera: 'gate', code: 'NO_KEY_FRAME' },
    ]);
    expect(backend.push('gate', 'p')).toMatchObject({ connects: 1, lastError: null });
  },
  60_000,
);
