import { expect } from 'vitest';
import { type Aggregator, startAggregator } from '../support/aggregator.js';
import { makeCertificate } from '../support/certificates.js';
import { isVideoFrame, readFlvTags, settled } from '../support/flv-file.js';
import { type NginxRtmp, startNginxRtmp } from '../support/nginx-rtmp.js';
import { aggregatePart, amf, oddCommand, oddMessage } from '../support/odd-bytes.js';
import { OddSender, picture, videoMessage } from '../support/odd-sender.js';
import { testWith } from '../support/peers.js';
import { type Scope, testScope } from '../support/scope.js';
import { sleep } from '../support/wait.js';

const frames = 50;
const everyMs = 40;

const call = (streamId: number, name: string, transaction: number, ...args: readonly Buffer[]): Buffer =>
  oddCommand(streamId, amf.string(name), amf.number(transaction), amf.null(), ...args);
const publishOn = (streamId: number, name: string): Buffer =>
  call(streamId, 'publish', 9, amf.string(name), amf.string('live'));
/** Publishes without createStream, and waits for the answer. */
async function publish(sender: OddSender, streamId: number, name: string): Promise<void> {
  sender.send(publishOn(streamId, name));
  await sender.hears((command) => command === 'onStatus', 'the answer to publish');
}

/** What each sender says until it may send media; and its media, frame by frame. */
interface Habit {
  open(sender: OddSender, name: string): Promise<unknown>;
  frame(timeMs: number, payload: Buffer, index: number): Buffer;
}

const plain = (streamId: number) => (timeMs: number, payload: Buffer) => videoMessage(streamId, timeMs, payload);
const usual = async (sender: OddSender, name: string): Promise<unknown> => {
  await sender.connect({ app: name });
  return sender.publish(name);
};

/** Things that cannot be used, each of which once ended a stream. */
const junk = (index: number): Buffer => {
  const control = (type: number, bytes: readonly number[]): Buffer =>
    oddMessage({ type, csid: 2, payload: Buffer.from(bytes) });
  const all = [
    oddCommand(0, Buffer.from([0x42])),
    oddCommand(1, amf.number(1)),
    call(0, 'onFoo', 0, amf.amf3(Buffer.from([99]))),
    call(0, 'FCPublish', 0, Buffer.from([2, 0, 9, 65])),
    ...[control(1, [0]), control(1, [0, 0, 0, 0]), control(2, []), control(3, [1]), control(5, [1, 2])],
    ...[control(4, []), control(4, [0, 6, 1]), control(4, [0, 3, 0, 0, 0, 1])],
    oddMessage({ type: 22, csid: 7, payload: aggregatePart(9, 0, Buffer.alloc(3), 90) }),
    oddMessage({ type: 19, csid: 7, payload: Buffer.alloc(3) }),
    oddMessage({ type: 77, csid: 7, payload: Buffer.alloc(3) }),
    oddCommand(0, amf.string('connect'), amf.number(8), amf.object([['app', amf.string('nobody')]])),
    publishOn(6, 'nobody'),
  ];
  return all[index % all.length]!;
};

const habits: Readonly<Record<string, Habit>> = {
  'media-on-0': { open: usual, frame: plain(0) },
  'id-changes': { open: usual, frame: (timeMs, payload, index) => videoMessage(index % 3, timeMs, payload) },
  neighbour: {
    open: async (sender, name) => {
      await sender.connect({ app: name });
      sender.send(call(0, 'createStream', 4), call(0, 'createStream', 0));
      await publish(sender, 2, name);
    },
    frame: plain(1),
  },
  'never-made': {
    open: async (sender, name) => {
      await sender.connect({ app: name });
      await publish(sender, 0, name);
    },
    frame: plain(0),
  },
  'all-at-once': {
    open: async (sender, name) => {
      const app = amf.amf3(amf.amf3Object([['app', amf.amf3String(name)]]));
      sender.send(
        ...[call(0, 'early', 7), oddCommand(0, amf.string('connect'), amf.number(1), app)],
        ...[call(0, 'createStream', 2), publishOn(1, `flv:${name}`)],
      );
      await sender.hears((command) => command === 'onStatus', 'the answer to publish');
    },
    frame: plain(1),
  },
  'again-and-again': {
    open: async (sender, name) => {
      await usual(sender, name);
      sender.send(call(0, 'deleteStream', 0), publishOn(1, name), call(0, 'FCUnpublish', 0, amf.string(name)));
      sender.send(publishOn(1, name), publishOn(1, name));
      await sleep(200);
    },
    frame: plain(1),
  },
  'server-field': {
    open: async (sender, name) => {
      await sender.connect({ app: `${name}/${name}` });
      return sender.publish('');
    },
    frame: plain(1),
  },
  'no-application': {
    open: async (sender, name) => {
      await sender.connect({ app: '', flashVer: 'test' });
      return sender.publish(`${name}/${name}`);
    },
    frame: plain(1),
  },
  junk: {
    open: usual,
    frame: (timeMs, payload, index) => Buffer.concat([junk(index), videoMessage(0, timeMs, payload)]),
  },
};

/** Publishes as its habit is; resolves when the target has every frame of it. */
async function run(
  stage: { scope: Scope; aggregator: Aggregator; nginx: NginxRtmp },
  name: string,
  port: number,
  tls: boolean,
): Promise<void> {
  const { scope, aggregator, nginx } = stage;
  const habit = habits[name]!;
  await aggregator.addCamera(name);
  await aggregator.addPush(name, nginx.url(name), 'engine');
  const sender = await OddSender.open(port, { tls });
  scope.defer(() => sender.close());
  await habit.open(sender, name);
  expect(sender.codes(), name).toContain('NetStream.Publish.Start');
  sender.send(videoMessage(0, 0, picture.header));
  for (let index = 0; index < frames; index++) {
    sender.send(habit.frame(index * everyMs, picture.frame(index, index === 0), index));
    await sleep(everyMs);
  }
  const push = await aggregator.waitForPush(name, 'engine', 'active');
  expect(push, name).toMatchObject({ connects: 1, droppedFrames: 0, lastError: null });
  expect(sender.isClosed, name).toBe(false);
  sender.close();
  const recording = await nginx.recording(name);
  await settled(recording);
  const numbers = readFlvTags(recording)
    .filter(isVideoFrame)
    .map(({ payload }) => payload.readUInt32BE(10));
  expect(numbers, name).toEqual(Array.from({ length: frames }, (_, index) => index));
}

const test = testWith('nginx-rtmp');

test.concurrent('odd senders: all that they publish arrives at a target', async (context) => {
  const scope = testScope(context);
  // Who publishes again goes on in the same stream.
  const flags = ['--publish-grace', '2s'];
  const [nginx, aggregator] = await Promise.all([startNginxRtmp(scope), startAggregator(scope, { flags })]);
  const stage = { scope, nginx, aggregator };
  await Promise.all(Object.keys(habits).map((name) => run(stage, name, aggregator.rtmpPort, false)));
  const ignored = aggregator.logLines().filter(({ message }) => message.startsWith('ignored what the peer sent'));
  // Once for each kind, though it came again and again.
  const kinds = ignored.filter(({ camera }) => camera === 'junk').map(({ kind }) => kind);
  expect(kinds.sort()).toEqual(['aggregate', 'command', 'control', 'order', 'unknown']);
  expect(aggregator.logLines().filter(({ level }) => level === 'error')).toEqual([]);
});

test.concurrent('odd senders with media workers, over TLS too', async (context) => {
  const scope = testScope(context);
  const files = makeCertificate(scope.temporaryFolder(), 'node');
  const flags = ['--workers', '2', '--rtmps-port', '0', '--rtmps-cert', files.certFile, '--rtmps-key', files.keyFile];
  const [nginx, aggregator] = await Promise.all([startNginxRtmp(scope), startAggregator(scope, { flags })]);
  const stage = { scope, nginx, aggregator };
  const names = ['no-application', 'server-field', 'all-at-once', 'never-made'];
  await Promise.all(names.map((name) => run(stage, name, aggregator.rtmpPort, false)));
  // Twice, so that it comes to a worker that is not the camera's home, whichever that is.
  const view = (await aggregator.apiOk('POST', '/v1/cameras', { name: 'gate' })) as { rtmpsEndpoint: string };
  const secure = Number(new URL(view.rtmpsEndpoint.replace('rtmps', 'https')).port);
  for (let attempt = 0; attempt < 4; attempt++) {
    const sender = await OddSender.open(secure, { tls: true });
    scope.defer(() => sender.close());
    await sender.connect({ flashVer: 'test' });
    expect(await sender.publish('gate/gate')).toBe('NetStream.Publish.Start');
    // Every answer once: what one worker said, the other does not say again.
    expect(sender.answers.map(([name]) => name)).toEqual(['_result', '_result', 'onStatus']);
    sender.close();
    await aggregator.waitForLive('gate', false);
  }
});
