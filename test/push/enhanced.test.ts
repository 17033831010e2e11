import { describe, expect, it, type TestContext } from 'vitest';
import { PushPolicy } from '../../src/address/push-policy.js';
import { defaultSettings } from '../../src/config/index.js';
import { silentLogger } from '../../src/log/log.js';
import { Dialer } from '../../src/net/dialer.js';
import { Push } from '../../src/push/push.js';
import { fullProfile, type PushProfile, profileOf } from '../../src/push/push-profile.js';
import { TargetWatch } from '../../src/push/target-watch.js';
import { FlushScheduler } from '../../src/relay/flush-scheduler.js';
import { MessageType } from '../../src/wire/message.js';
import { exMessage, readEx } from '../support/enhanced.js';
import { FedStream } from '../support/fed-stream.js';
import { type RtmpSink, type RtmpSinkOptions, startRtmpSink } from '../support/rtmp-sink.js';
import { testScope } from '../support/scope.js';
import { until } from './targets.js';

const { Video } = MessageType;

const settings = { ...defaultSettings().media, connectTimeoutMs: 10_000, pushRetryMinMs: 50 };

type Kind = 'h264' | 'av1' | 'two tracks';

const number = (value: number): Buffer => {
  const body = Buffer.alloc(40, value & 0xff);
  body.writeUInt32BE(value);
  return body;
};

function header(kind: Kind, track?: number): Buffer {
  if (kind === 'h264')
    return Buffer.from('17000000000142c00dffe100166742c00dda0507ec0440000003004000000c83c50aa801000468ce0fc8', 'hex');
  return exMessage({
    kind: 'video',
    packet: 0,
    codec: 'av01',
    body: Buffer.from([0x81, 1, 0, 0]),
    ...(track === undefined ? {} : { track }),
  });
}

function picture(kind: Kind, value: number, track?: number): Buffer {
  const isKey = value % 25 === 0;
  if (kind === 'h264') return Buffer.concat([Buffer.from([isKey ? 0x17 : 0x27, 1, 0, 0, 0]), number(value)]);
  return exMessage({
    kind: 'video',
    packet: 1,
    codec: 'av01',
    isKey,
    body: number(value),
    ...(track === undefined ? {} : { track }),
  });
}

/** A camera that has been live for a while, and a push of it. */
async function start(
  context: TestContext,
  kind: Kind,
  options: RtmpSinkOptions = {},
  sinks = 1,
  onPorts?: (ports: number[]) => void,
  profile: PushProfile = fullProfile,
  headersAfterMs = 0,
) {
  const scope = testScope(context);
  const [sink, ...others] = (await Promise.all(Array.from({ length: sinks }, () => startRtmpSink(scope, options)))) as [
    RtmpSink,
    ...RtmpSink[],
  ];
  onPorts?.([sink, ...others].map(({ port }) => port));
  const stream = new FedStream(
    {
      format: { chunkBytes: settings.outChunkBytes, streamId: 1, publishing: true },
      gopMaxBytes: 1e6,
      scheduler: new FlushScheduler(),
    },
    performance.now(),
  );
  let sent = 0;
  const write = (payload: Buffer): void => {
    stream.publish(Video, sent * 20, payload, performance.now());
  };
  const next = (): void => {
    write(picture(kind, sent));
    if (kind === 'two tracks') write(picture(kind, sent, 1));
    sent++;
  };
  let camera: NodeJS.Timeout | undefined;
  const begin = (): void => {
    write(header(kind));
    if (kind === 'two tracks') write(header(kind, 1));
    next();
    camera = setInterval(next, 20);
  };
  if (headersAfterMs === 0) begin();
  else setTimeout(begin, headersAfterMs);
  const push = new Push({
    ...{ url: sink.url('cam'), shownUrl: sink.url('cam'), enabled: true, settings, log: silentLogger },
    limits: { queueMaxBytes: 8e6, queueMaxAgeMs: 5000 },
    profile,
    watch: new TargetWatch(50),
    dialer: new Dialer({ policy: new PushPolicy({ pushDeny: ['127.0.0.9'] }) }),
  });
  const ticker = setInterval(() => push.tick(performance.now()), 50);
  scope.defer(async () => {
    clearInterval(camera);
    clearInterval(ticker);
    await push.close();
  });
  push.begin(stream);
  const videoOf = (at: number) =>
    (sink.connections[at]?.messages ?? []).filter(({ type }) => type === Video).map(({ payload }) => payload);
  return {
    sink,
    others,
    push,
    stream,
    videoOf,
    status: () => push.status(performance.now()),
    sent: () => sent,
    stop: () => clearInterval(camera),
  };
}

const frames = (payloads: readonly Buffer[]): number[] =>
  payloads
    .filter((payload) => (payload[0]! < 0x80 ? payload[1] === 1 : readEx(payload).packet === 1))
    .map((payload) => (payload[0]! < 0x80 ? payload.readUInt32BE(5) : readEx(payload).body.readUInt32BE(0)));

const enhancedWords = ['fourCcList', 'videoFourCcInfoMap', 'audioFourCcInfoMap', 'capsEx'];

describe('what a target is told of Enhanced RTMP', () => {
  it('is nothing where the stream needs nothing', async (context) => {
    const { sink, status } = await start(context, 'h264');
    await until(() => status().state === 'active', 20_000, 'the push');
    for (const word of enhancedWords) expect(sink.connections[0]?.said).not.toHaveProperty(word);
  });

  it('is what the stream needs, and no more', async (context) => {
    const one = await start(context, 'av1');
    await until(() => one.status().state === 'active', 20_000, 'the push');
    expect(one.sink.connections[0]?.said).toMatchObject({
      fourCcList: ['av01'],
      videoFourCcInfoMap: { av01: 4 },
      capsEx: 1,
    });
    expect(one.sink.connections[0]?.said).not.toHaveProperty('audioFourCcInfoMap');
    const two = await start(context, 'two tracks');
    await until(() => two.status().state === 'active', 20_000, 'the push');
    expect(two.sink.connections[0]?.said.capsEx).toBe(3);
  });

  it('is known before it is said, of a camera that has just begun', async (context) => {
    const { sink, status } = await start(context, 'av1', {}, 1, undefined, fullProfile, 200);
    expect(status().state).toBe('connecting');
    await until(() => status().state === 'active', 20_000, 'the push');
    expect(sink.connections.map(({ said }) => said.fourCcList)).toEqual([['av01']]);
  });

  it('is nothing for a push without Enhanced RTMP, which gets the default track', async (context) => {
    const profile = profileOf({ enhanced: 'off' });
    // What such a target says of itself does not count.
    const { sink, status, push, videoOf } = await start(
      ...([context, 'two tracks', { onConnect: () => ({ fourCcList: ['hvc1'], capsEx: 0 }) }, 1, undefined] as const),
      profile,
    );
    await until(() => status().state === 'active' && videoOf(0).length > 60, 20_000, 'the push');
    for (const word of enhancedWords) expect(sink.connections[0]?.said).not.toHaveProperty(word);
    expect(push.shortfall).toBeNull();
    const numbers = frames(videoOf(0));
    expect(numbers).toEqual(Array.from(numbers, (_, i) => i + (numbers[0] ?? 0)));
    for (const payload of videoOf(0)) expect((payload[0] ?? 0) & 15).not.toBe(6);
  });

  it('is one track for a push that has chosen it; one that is not there is a reason', async (context) => {
    const one = await start(context, 'two tracks', {}, 1, undefined, profileOf({ videoTrack: 1 }));
    await until(() => one.status().state === 'active' && one.videoOf(0).length > 30, 20_000, 'the push');
    expect(one.sink.connections[0]?.said.capsEx).toBe(1);
    for (const payload of one.videoOf(0)) expect((payload[0] ?? 0) & 15).not.toBe(6);
    const other = await start(context, 'two tracks', {}, 1, undefined, profileOf({ videoTrack: 7 }));
    await until(() => other.push.shortfall !== null, 20_000, 'the reason');
    expect(other.push.shortfall).toBe('the camera has no video track 7, only 0, 1');
    expect(other.status().state).toBe('connecting');
  });

  it.for(['refuse', 'close'] as const)(
    'is left out the second time, where a front end will not have it: %s',
    async (no, context) => {
      const { sink, status, push } = await start(context, 'av1', { onConnect: (said) => ('capsEx' in said ? no : {}) });
      await until(() => status().state === 'active', 20_000, 'the push');
      expect(sink.connections).toHaveLength(2);
      expect([status().attempt, status().lastError]).toEqual([0, null]);
      for (const word of enhancedWords) expect(sink.connections[1]?.said).not.toHaveProperty(word);
      expect(push.events.filter(({ text }) => text.includes('without Enhanced RTMP'))).toHaveLength(1);
    },
  );

  it('a refusal that has other reasons is one', async (context) => {
    const { sink, status } = await start(context, 'av1', { onConnect: () => 'refuse' });
    await until(() => status().lastError !== null, 20_000, 'the refusal');
    expect(status().lastError?.code).toBe('TARGET_CONNECT_REJECTED');
    expect(sink.connections.length).toBeGreaterThanOrEqual(2);
  });
});

describe('what a target says of itself', () => {
  it('nothing: it gets everything, as ever', async (context) => {
    const { push, status, videoOf } = await start(context, 'two tracks');
    await until(() => status().state === 'active', 20_000, 'the push');
    await until(() => new Set(videoOf(0).map((payload) => readEx(payload).track)).size === 2, 20_000, 'both tracks');
    expect(push.shortfall).toBeNull();
  });

  it.for([
    { fourCcList: ['*'], capsEx: 2 },
    { videoFourCcInfoMap: { '*': 4 }, capsEx: 15 },
    { videoFourCcInfoMap: { hvc1: 1, av01: 1 }, capsEx: 2 },
    { capsEx: 2 },
  ])('that it takes it all: %j', async (answer, context) => {
    const { status, videoOf } = await start(context, 'two tracks', { onConnect: () => answer as never });
    await until(() => status().state === 'active', 20_000, 'the push');
    await until(() => new Set(videoOf(0).map((payload) => readEx(payload).track)).size === 2, 20_000, 'both tracks');
  });

  it('other codecs: the push is not active, and says why; the next time before it dials', async (context) => {
    const { push, status, videoOf, stream, sink } = await start(context, 'av1', {
      onConnect: () => ({ fourCcList: ['hvc1', 'vp09'] }),
    });
    await until(() => videoOf(0).length > 30, 20_000, 'frames');
    expect(status().state).toBe('connecting');
    expect(push.shortfall).toBe('the target does not name av01 among the codecs that it takes: hvc1, vp09');
    expect(push.codecTrouble).toBe(`${push.shortfall}; set the camera to H.264`);
    push.end();
    push.begin(stream);
    await until(() => status().lastError !== null, 20_000, 'the word before the dial');
    expect(status()).toMatchObject({ state: 'waiting', lastError: { code: 'TARGET_CODEC' } });
    expect(sink.connections).toHaveLength(1);
    // Targets learn: it is tried nevertheless.
    push.retry();
    await until(() => sink.connections.length === 2, 20_000, 'the try');
  });

  it('codecs, and no tracks: it gets the default ones, unwrapped, and the push says so', async (context) => {
    const { push, status, videoOf } = await start(context, 'two tracks', {
      onConnect: () => ({ fourCcList: ['av01'], capsEx: 1 }),
    });
    await until(() => videoOf(0).length > 60, 20_000, 'frames');
    expect(status().state).toBe('connecting');
    expect(push.shortfall).toContain('several tracks');
    const numbers = frames(videoOf(0));
    expect(numbers).toEqual(Array.from(numbers, (_, i) => i + (numbers[0] ?? 0)));
    for (const payload of videoOf(0)) expect((payload[0] ?? 0) & 15).not.toBe(6);
  });
});

describe('a target that names what the camera sends, when another track comes, and becomes the default one', () => {
  it('is judged anew by what that one has', async (context) => {
    const { push, status, videoOf, stream, stop, sent } = await start(context, 'av1', {
      onConnect: () => ({ fourCcList: ['av01'], capsEx: 1 }),
    });
    await until(() => status().state === 'active' && videoOf(0).length > 30, 20_000, 'the push');
    expect(push.shortfall).toBeNull();
    stop();
    const write = (packet: number, codec: string, track: number, body: Buffer): void => {
      const payload = exMessage({ kind: 'video', packet, codec, isKey: true, body, ...(track ? { track } : {}) });
      stream.publish(Video, sent() * 20, payload, performance.now());
    };
    const why = 'the target does not name vp09 among the codecs that it takes: av01';
    write(0, 'vp09', 1, Buffer.from([1, 0, 0, 0, 0, 11, 0x82, 2, 2, 2, 0, 0]));
    write(1, 'vp09', 1, number(1));
    expect(push.shortfall).toBe(why);
    write(2, 'av01', 0, Buffer.alloc(0));
    write(1, 'vp09', 1, number(2));
    expect(push.shortfall).toBe(why);
    await until(() => status().state !== 'active', 20_000, 'a state that says so');
  });
});

describe('a target that asks to be connected to anew', () => {
  const reconnect = { level: 'status', code: 'NetConnection.Connect.ReconnectRequest', description: 'maintenance' };

  it.for<[string, ((port: number) => string) | undefined]>([
    ['at the same place', undefined],
    ['by a whole tcUrl', (port: number) => `rtmp://127.0.0.1:${port}/live`],
    ['by a host alone', (port: number) => `//127.0.0.1:${port}/live`],
    ['by a path', () => '/other'],
  ])('is followed, %s: no frame is lost', async ([, tcUrl], context) => {
    const { sink, others, status, sent, stop, push } = await start(context, 'h264', {}, 2);
    await until(() => status().state === 'active' && sent() > 30, 20_000, 'the push');
    const [elsewhere] = others;
    const isElsewhere = tcUrl !== undefined && tcUrl(1) !== '/other';
    const port = elsewhere?.port ?? 0;
    sink.connections[0]?.tell(tcUrl === undefined ? reconnect : { ...reconnect, tcUrl: tcUrl(port) });
    const next = () => (isElsewhere ? elsewhere?.connections[0] : sink.connections[1]);
    await until(
      () => (next()?.messages.length ?? 0) > 5 && sink.connections[0]?.ended !== undefined,
      15_000,
      'the new connection',
    );
    if (tcUrl !== undefined && !isElsewhere) expect(next()?.said.app).toBe('other');
    await until(() => sent() > 60, 20_000, 'more frames');
    stop();
    const last = sent() - 1;
    const of = (connection: { messages: readonly { type: number; payload: Buffer }[] } | undefined): number[] =>
      frames((connection?.messages ?? []).filter(({ type }) => type === Video).map(({ payload }) => payload));
    await until(() => of(next()).at(-1) === last, 20_000, 'the last frame');
    const [before, after] = [of(sink.connections[0]), of(next())];
    // Each without a gap, the new one from a key frame on, and together all.
    for (const numbers of [before, after])
      expect(numbers).toEqual(Array.from(numbers, (_, i) => i + (numbers[0] ?? 0)));
    expect((after[0] ?? -1) % 25).toBe(0);
    expect(after[0]).toBeLessThanOrEqual((before.at(-1) ?? 0) + 1);
    expect(sink.connections[0]?.commands.slice(-2)).toEqual(['FCUnpublish', 'deleteStream']);
    expect([status().lastError, status().connects]).toEqual([null, 2]);
    expect(push.events.filter(({ kind }) => kind === 'reconnect')).toHaveLength(2);
  });

  it('is not left when there is nothing elsewhere, where pushes may not go, or for what is no place', async (context) => {
    for (const tcUrl of ['rtmp://127.0.0.9:1935/live', 'rtmp://127.0.0.1:1/live', 'http://127.0.0.1/live', 'rtmp://']) {
      const { sink, status, videoOf } = await start(context, 'h264');
      await until(() => status().state === 'active', 20_000, 'the push');
      sink.connections[0]?.tell({ ...reconnect, tcUrl });
      const before = videoOf(0).length;
      await until(() => videoOf(0).length > before + 30, 20_000, 'frames go on');
      expect([sink.connections.length, sink.connections[0]?.ended, status().state]).toEqual([1, undefined, 'active']);
    }
  });

  it('again and again is followed once in a while only', async (context) => {
    const { sink, status, videoOf } = await start(context, 'h264');
    await until(() => status().state === 'active', 20_000, 'the push');
    sink.connections[0]?.tell(reconnect);
    await until(() => sink.connections.length === 2 && videoOf(1).length > 5, 20_000, 'the new connection');
    for (let i = 0; i < 20; i++) sink.connections[1]?.tell(reconnect);
    const before = videoOf(1).length;
    await until(() => videoOf(1).length > before + 20, 20_000, 'frames go on');
    expect(sink.connections).toHaveLength(2);
  });

  it('relative to where it leads by now is meant of that place, and not of the one that redirected there', async (context) => {
    let elsewhere = 0;
    const { sink, others, status } = await start(
      context,
      'h264',
      {
        redirects: ({ tcUrl }) =>
          String(tcUrl).includes(`:${elsewhere}/`) ? undefined : `rtmp://127.0.0.1:${elsewhere}/live`,
      },
      2,
      (ports) => {
        elsewhere = ports[1] ?? 0;
      },
    );
    const [second] = others;
    await until(() => status().state === 'active', 20_000, 'the push');
    second?.connections[0]?.tell({ ...reconnect, tcUrl: '/other' });
    await until(() => (second?.connections[1]?.messages.length ?? 0) > 5, 20_000, 'the new connection');
    expect(second?.connections[1]?.said.app).toBe('other');
    expect(sink.connections).toHaveLength(1);
    await until(() => status().state === 'active', 20_000, 'the push again');
  });

  it('and then does not answer there: the connection of before goes on', async (context) => {
    let answers = true;
    const { sink, status, videoOf, push } = await start(context, 'h264', { answersPublish: () => answers });
    await until(() => status().state === 'active', 20_000, 'the push');
    answers = false;
    sink.connections[0]?.tell(reconnect);
    await until(() => videoOf(1).length > 5, 20_000, 'media on the new connection');
    const before = videoOf(0).length;
    await until(() => videoOf(0).length > before + 20, 20_000, 'frames on the one of before');
    expect([sink.connections[0]?.ended, status().state, status().connects]).toEqual([undefined, 'active', 1]);
    // Should the one of before end now, the other is all there is, and nothing proves that it is read.
    expect(push.events.filter(({ kind }) => kind === 'reconnect')).toHaveLength(1);
    sink.connections[0]?.cut();
    await until(() => status().connects === 2, 20_000, 'the new connection');
    expect(status().state).toBe('connecting');
  });
});
