import { randomBytes } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { StreamKeys } from '../../../src/admission/stream-keys.js';
import type { DesiredCamera, IngestChange } from '../../../src/backend/backend.js';
import { NativeBackend } from '../../../src/backend/native/native-backend.js';
import { defaultSettings } from '../../../src/config/index.js';
import { silentLogger } from '../../../src/log/log.js';
import { PublishClient } from '../../../src/rtmp/publish-client.js';
import { MessageType } from '../../../src/wire/message.js';
import { healthy, startTarget, until } from '../../push/targets.js';
import { audioFrame, audioHeader, frame, videoHeader } from '../../relay/fixtures.js';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  while (cleanups.length > 0) await cleanups.pop()?.();
});

const secret = randomBytes(32);
const keys = new StreamKeys(secret);
const frameMs = 20;

/** A camera with two ingests and one target, and what is told of it. */
async function node(changes: object = {}, desired: Partial<DesiredCamera> = {}) {
  const media = { ...defaultSettings().media, pushRetryMinMs: 50, standbyAfterMs: 300, ...changes };
  const settings = { host: '127.0.0.1', rtmpPort: 0, media, streamSecret: secret.toString('hex') };
  const backend = new NativeBackend({ settings, log: silentLogger });
  const { port } = await backend.start();
  cleanups.push(() => backend.stop(2000));
  const target = await startTarget(healthy);
  cleanups.push(() => target.close());
  const told: IngestChange[] = [];
  const lives: string[] = [];
  backend.observe({
    cameraLive: () => lives.push('live'),
    cameraStopped: () => lives.push('stopped'),
    pushState() {},
    ingestChanged: (_camera, change) => told.push(change),
  });
  backend.setCamera({
    name: 'gate',
    pushes: [{ id: 'p', url: target.url, enabled: true }],
    ingests: [{ name: 'main' }, { name: 'backup' }],
    ...desired,
  });
  const url = (query = '') => `rtmp://127.0.0.1:${port}/gate/gate${query}`;
  /** What the target got of video: `mark` says whose it is. */
  const pictures = () =>
    target.media
      .filter(({ type, payload }) => type === MessageType.Video && payload[1] === 1)
      .map(({ payload, timestampMs }) => ({ mark: payload.readUInt32BE(5) >>> 24, timestampMs }));
  return { backend, target, told, lives, url, pictures, last: () => pictures().at(-1)?.mark };
}

/** An encoder at real speed. */
async function encoder(url: string, mark: number, gopFrames = 25) {
  const publisher = new PublishClient({ url, connectTimeoutMs: 2000 });
  await publisher.connect();
  publisher.write(MessageType.Video, 0, videoHeader(mark));
  publisher.write(MessageType.Audio, 0, audioHeader());
  const does = { video: true, audio: true };
  const startedMs = performance.now();
  let number = 0;
  const timer = setInterval(() => {
    const timestampMs = Math.round(performance.now() - startedMs);
    const payload = frame(0, number % gopFrames === 0);
    payload.writeUIntBE(0, 2, 3);
    payload.writeUInt32BE(((mark << 24) | number) >>> 0, 5);
    if (does.video) publisher.write(MessageType.Video, timestampMs, payload);
    if (does.audio) publisher.write(MessageType.Audio, timestampMs, audioFrame(mark));
    number++;
  }, frameMs);
  const stop = async (): Promise<void> => {
    clearInterval(timer);
    await publisher.close();
  };
  cleanups.push(stop);
  return { publisher, does, stop };
}

const refusal = async (url: string): Promise<string> => {
  const publisher = new PublishClient({ url, connectTimeoutMs: 2000 });
  try {
    await publisher.connect();
    await publisher.close();
    return 'let in';
  } catch (error) {
    return String(error);
  }
};

const failures: [string, (main: Awaited<ReturnType<typeof encoder>>) => unknown][] = [
  ['leaves', (main) => main.stop()],
  ['freezes', (main) => Object.assign(main.does, { video: false, audio: false })],
  ['sends no picture any more', (main) => Object.assign(main.does, { video: false })],
];

describe('a second encoder by ?ingest=backup', () => {
  it.each(failures)('goes on where the first %s, and the target sees one stream', async (_what, fail) => {
    const { target, lives, url, pictures, last, backend } = await node();
    const main = await encoder(url(), 1);
    await encoder(url('?ingest=backup'), 2);
    await until(() => last() === 1 && backend.camera('gate')?.ingests?.[1]?.state === 'ready', 20_000, 'both encoders');
    await fail(main);
    await until(() => last() === 2, 20_000, 'the picture of the second');
    const count = pictures().length;
    await until(() => pictures().length > count + 30, 20_000, 'more of it');
    const times = target.media
      .filter(({ type, payload }) => type === MessageType.Video && payload[1] === 1)
      .map(({ timestampMs }) => timestampMs);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(target.connectedMs).toHaveLength(1);
    expect(lives).toEqual(['live']);
  });

  it('is seen with all that it does, and is switched to and from', async () => {
    const { backend, told, url, last } = await node();
    await encoder(url('?ingest=main'), 1);
    const backup = await encoder(url('?ingest=backup'), 2);
    const seen = () => backend.camera('gate');
    await until(() => seen()?.ingests?.every(({ state }) => state === 'ready') === true, 20_000, 'both');
    expect(seen()?.ingests).toMatchObject([
      { name: 'main', live: true, videoCodec: 'h264', audioCodec: 'aac' },
      { name: 'backup', live: false, videoCodec: 'h264' },
    ]);
    expect(seen()?.ingests?.[1]?.keptBytes).toBeGreaterThan(0);
    await backend.switchIngest('gate', 'backup');
    await until(() => last() === 2, 20_000, 'the picture of the second');
    expect(seen()).toMatchObject({ switches: 1, lastSwitch: { from: 'main', to: 'backup' } });
    await backend.switchIngest('gate', undefined);
    await until(() => last() === 1, 20_000, 'the picture of the first');
    await expect(backend.switchIngest('gate', 'third')).rejects.toMatchObject({ code: 'INGEST_NOT_FOUND' });
    await backup.stop();
    await until(() => seen()?.ingests?.[1]?.state === 'offline', 20_000, 'its end');
    await expect(backend.switchIngest('gate', 'backup')).rejects.toMatchObject({ code: 'INGEST_NOT_READY' });
    expect(told.map((change) => (change.type === 'switched' ? change.to : `${change.ingest} ${change.type}`))).toEqual([
      'main connected',
      'backup connected',
      'backup',
      'main',
      'backup disconnected',
    ]);
  });

  it('is let in by a key of its own alone', async () => {
    const key = (ingest?: string) => keys.generated('gate', 'first', ingest);
    const rule = (ingest?: string) => [{ tag: keys.tag('gate', key(ingest)) }];
    const { url } = await node(
      { publishAuth: 'key' },
      {
        publishKeys: rule(),
        ingests: [
          { name: 'main', publishKeys: rule() },
          { name: 'backup', publishKeys: rule('backup') },
        ],
      },
    );
    const tried = await Promise.all(
      [
        `?key=${key()}`,
        `?ingest=backup&key=${key('backup')}`,
        `?ingest=backup&key=${key()}`,
        `?key=${key('backup')}`,
        `?ingest=main&key=${key('backup')}`,
        '?ingest=backup',
        `?ingest=third&key=${key()}`,
        `?ingest=constructor&key=${key('constructor')}`,
      ].map((query) => refusal(url(query))),
    );
    const [main, backup, ...others] = tried;
    expect([main, backup]).toEqual(['let in', 'let in']);
    expect(others.every((each) => each.includes('NetStream.Publish.BadName'))).toBe(true);
  });

  it('is refused by a camera without ingests, and by one that lost it', async () => {
    const { backend, url } = await node();
    const backup = await encoder(url('?ingest=backup'), 2);
    backend.setCamera({ name: 'gate', pushes: [] });
    await backup.publisher.closed;
    expect(await refusal(url('?ingest=backup'))).toContain('NetStream.Publish.BadName');
    expect(await refusal(url('?ingest=main'))).toBe('let in');
    expect(backend.camera('gate')?.ingests).toBeUndefined();
  });

  it('gives back what is kept of it where memory is short, and is switched to all the same', async () => {
    const { backend, url, last } = await node({ mediaMaxBytes: 1 });
    const main = await encoder(url(), 1);
    await encoder(url('?ingest=backup'), 2, 50);
    await until(() => backend.camera('gate')?.ingests?.[1]?.state === 'ready', 20_000, 'the second');
    await until(() => backend.camera('gate')?.ingests?.[1]?.keptBytes === 0, 20_000, 'that nothing is kept');
    await main.stop();
    await until(() => last() === 2, 20_000, 'the picture of the second');
  });
});

describe('a slate', () => {
  const slate = (file: string, durationMs: number) => ({ slate: { file, durationMs } });
  /** Which of what the target got came from a clip: encoders here number their pictures, and x264 does not. */
  const fromClip = (payload: Buffer) => payload.length > 100;
  const silent = audioFrame(0).subarray(0, 2);

  it('is shown when no ingest is left, with silence, until one is back', async () => {
    const { target, told, lives, url, last } = await node({}, slate('built-in', 60_000));
    const main = await encoder(url(), 1);
    await until(() => last() === 1, 20_000, 'the first');
    await main.stop();
    const clipPictures = () =>
      target.media.filter(({ type, payload }) => type === MessageType.Video && fromClip(payload));
    await until(() => clipPictures().length > 20, 20_000, 'pictures of the slate');
    const sound = target.media
      .filter(({ type, payload }) => type === MessageType.Audio && payload.length < 12)
      .slice(-5);
    expect(sound.every(({ payload }) => payload.subarray(0, 2).equals(silent))).toBe(true);
    await encoder(url('?ingest=backup'), 2);
    await until(() => last() === 2, 20_000, 'the second');
    const media = target.media.filter(({ payload }) => payload[1] === 1);
    for (const kind of [MessageType.Video, MessageType.Audio]) {
      const times = media.filter(({ type }) => type === kind).map(({ timestampMs }) => timestampMs);
      expect(times).toEqual([...times].sort((a, b) => a - b));
    }
    expect(target.connectedMs).toHaveLength(1);
    expect(lives).toEqual(['live']);
    const switches = told.flatMap((change) => (change.type === 'switched' ? [`${change.from} ${change.to}`] : []));
    expect(switches).toEqual(['main slate', 'slate backup']);
  });

  it('ends after its time, and the stream with it', async () => {
    const { backend, lives, url, last } = await node({}, slate('built-in', 1000));
    const main = await encoder(url(), 1);
    await until(() => last() === 1, 20_000, 'the first');
    await main.stop();
    await until(() => backend.camera('gate')?.publisher === 'slate', 20_000, 'the slate');
    await until(() => lives.includes('stopped'), 20_000, 'its end');
    expect(backend.camera('gate')).toMatchObject({ live: false, graceUntil: null });
  });

  it('is shown for one that stalls, and gives way when that goes on', async () => {
    const { backend, url, last } = await node({}, slate('built-in', 60_000));
    const main = await encoder(url(), 1);
    await until(() => last() === 1, 20_000, 'the first');
    Object.assign(main.does, { video: false, audio: false });
    await until(() => backend.camera('gate')?.publisher === 'slate', 20_000, 'the slate');
    Object.assign(main.does, { video: true, audio: true });
    await until(() => backend.camera('gate')?.publisher !== 'slate', 20_000, 'its end');
    expect(backend.camera('gate')?.live).toBe(true);
  });

  it.each(['missing.flv', '../secret.flv'])(
    'that cannot be shown (%s) is told of, and the stream ends',
    async (file) => {
      const { backend, lives, url, last } = await node({}, slate(file, 60_000));
      const main = await encoder(url(), 1);
      await until(() => last() === 1, 20_000, 'the first');
      await main.stop();
      await until(() => lives.includes('stopped'), 20_000, 'the end');
      expect(backend.events('gate')?.some(({ kind }) => kind === 'slate')).toBe(true);
    },
  );
});
