import fc from 'fast-check';
import { expect, it } from 'vitest';
import { encodeAmf0 } from '../../src/wire/amf0.js';
import { encodeMessage } from '../../src/wire/chunk-writer.js';
import { MessageType } from '../../src/wire/message.js';
import { command, type Heard, MemoryCamera, MemoryNode } from './memory-node.js';

const { Audio, Video } = MessageType;
const names = ['cam0', 'cam1'];

/** A frame whose every byte can be told from its number. */
function numbered(type: number, number: number, isKey: boolean, bytes: number): Buffer {
  const payload = Buffer.alloc(Math.max(bytes, 9), number % 251);
  payload[0] = type === Audio ? 0xaf : isKey ? 0x17 : 0x27;
  payload[1] = 1;
  payload.writeUInt32BE(number, 5);
  return payload;
}

/** -1: a header, or no media. */
function numberOf({ type, payload }: Pick<Heard, 'type' | 'payload'>): number {
  return (type === Audio || type === Video) && payload[1] === 1 && payload.length >= 9 ? payload.readUInt32BE(5) : -1;
}

async function turnsUntil(isTrue: () => boolean): Promise<void> {
  for (let turns = 0; !isTrue(); turns++) {
    if (turns === 1000) throw new Error('it did not come to that');
    await nextTurn();
  }
}

const answer = encodeAmf0('_result', 777);

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const streamId = fc.constantFrom(1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 3, 0, 17, 0xffffffff);
const name = fc.constantFrom<string>('cam0', 'cam0', 'cam1', 'nobody', '');
const number = fc.constantFrom(0, 1, 2, 3, 17, -1, 0.5, 2 ** 32, 1e20, Number.NaN);

/** What a client says: all that is in the specification (RTMP 1.0, 7.2.2), and what Flash had besides. */
const said = fc.oneof(
  {
    arbitrary: fc.tuple(fc.constant('play'), streamId, name).map(([what, id, n]) => command(id, what, 4, null, n)),
    weight: 4,
  },
  fc
    .tuple(fc.constant('play2'), streamId, name)
    .map(([what, id, n]) => command(id, what, 0, null, { streamName: n, transition: 'switch' })),
  { arbitrary: fc.tuple(streamId, fc.boolean()).map(([id, on]) => command(id, 'pause', 0, null, on, 1000)), weight: 4 },
  fc.tuple(streamId, fc.boolean()).map(([id, on]) => command(id, 'pauseRaw', 0, null, on, 1000)),
  fc.tuple(streamId, number).map(([id, ms]) => command(id, 'seek', 0, null, ms)),
  fc
    .tuple(fc.constantFrom('receiveAudio', 'receiveVideo'), streamId, fc.boolean())
    .map(([what, id, on]) => command(id, what, 0, null, on)),
  fc.tuple(streamId, name).map(([id, n]) => command(id, 'publish', 5, null, n, 'live')),
  fc.tuple(fc.constantFrom('publish', 'play'), streamId).map(([what, id]) => command(id, what, 5, null, false)),
  fc.tuple(fc.constantFrom('closeStream', 'deleteStream'), streamId).map(([what, id]) => command(id, what, 0, null)),
  fc.tuple(streamId, number).map(([id, n]) => command(id, 'deleteStream', 0, null, n)),
  fc
    .tuple(
      fc.constantFrom('FCPublish', 'FCUnpublish', 'FCSubscribe', 'FCUnsubscribe', 'releaseStream', 'getStreamLength'),
      name,
    )
    .map(([what, n]) => command(0, what, 6, null, n)),
  fc.constant(command(0, 'createStream', 7, null)),
  fc.constantFrom('live', 'other').map((app) => command(0, 'connect', 8, { app })),
  // Buffer lengths, pings and their answers, ends of streams: events with one number and with two (7.1.7).
  fc.tuple(fc.constantFrom(0, 1, 2, 3, 4, 6, 7, 31, 32), fc.constantFrom(0, 1, 3, 0xffffffff)).map(([event, value]) => {
    const payload = Buffer.alloc(10);
    payload.writeUInt16BE(event, 0);
    payload.writeUInt32BE(value, 2);
    payload.writeUInt32BE(0xfffffff0, 6);
    return encodeMessage(2, MessageType.UserControl, 0, 0, payload, 128);
  }),
  fc
    .tuple(
      fc.constantFrom(MessageType.Abort, MessageType.Acknowledgement, MessageType.WindowAckSize),
      fc.constantFrom(0, 1, 3, 6, 5_000_000, 0xffffffff),
    )
    .map(([type, value]) => {
      const payload = Buffer.alloc(4);
      payload.writeUInt32BE(value, 0);
      return encodeMessage(2, type, 0, 0, payload, 128);
    }),
);

/** In the middle of a message of media: another chunk stream is abandoned, or the rest comes in chunks of another size. */
const divided = fc
  .tuple(streamId, fc.constantFrom<'abort' | 'size' | 'command'>('abort', 'size', 'command'))
  .map(([id, what]) => {
    const payload = numbered(Video, 0xffff, false, 300);
    const whole = encodeMessage(6, Video, 0, id, payload, 128);
    const first = whole.subarray(0, 12 + 128);
    const value = Buffer.alloc(4);
    if (what === 'command')
      return Buffer.concat([first, command(id, 'pause', 0, null, true), whole.subarray(12 + 128)]);
    value.writeUInt32BE(what === 'abort' ? 6 : 4096, 0);
    const control = encodeMessage(2, what === 'abort' ? MessageType.Abort : MessageType.SetChunkSize, 0, 0, value, 128);
    if (what === 'abort') return Buffer.concat([first, control]);
    // Back to 128 behind it, for all that follows.
    value.writeUInt32BE(128, 0);
    const back = encodeMessage(2, MessageType.SetChunkSize, 0, 0, value, 128);
    return Buffer.concat([first, control, Buffer.from([0xc6]), payload.subarray(128), back]);
  });

/** What a client or a camera does. */
type Step =
  | { readonly what: 'say'; readonly data: Buffer }
  | {
      readonly what: 'frames';
      readonly camera: number;
      readonly count: number;
      readonly bytes: number;
      readonly isKey: boolean;
      readonly isFlushed: boolean;
    }
  | { readonly what: 'full' }
  | { readonly what: 'drain' }
  | { readonly what: 'turn' }
  | { readonly what: 'stop'; readonly camera: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    arbitrary: fc.record({
      what: fc.constant('say' as const),
      data: fc.oneof({ arbitrary: said, weight: 12 }, divided),
    }),
    weight: 12,
  },
  {
    arbitrary: fc.record({
      what: fc.constant('frames' as const),
      camera: fc.constantFrom(0, 0, 0, 1),
      count: fc.integer({ min: 1, max: 8 }),
      bytes: fc.constantFrom(20, 900, 20_000, 30_000, 30_000),
      isKey: fc.boolean(),
      isFlushed: fc.boolean(),
    }),
    weight: 10,
  },
  { arbitrary: fc.constant({ what: 'full' as const }), weight: 4 },
  { arbitrary: fc.constant({ what: 'drain' as const }), weight: 2 },
  { arbitrary: fc.constant({ what: 'turn' as const }), weight: 2 },
  fc.record({ what: fc.constant('stop' as const), camera: fc.constantFrom(0, 1) }),
);

it('who says what it likes, in any order, is sent nothing but what cameras sent, ends nobody, and can play behind it all', async () => {
  let played = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 60 }), async (steps) => {
      const node = new MemoryNode(names);
      const cameras = names.map((each) => new MemoryCamera(node, each));
      const sent = new Map<number, Buffer>();
      let next = 0;
      const send = (camera: number, isKey: boolean, bytes: number): void => {
        const type = !isKey && next % 3 === 2 ? Audio : Video;
        const payload = numbered(type, next, isKey, bytes);
        sent.set(next++, payload);
        cameras[camera]!.send(type, payload);
      };
      sent.set(0xffff, numbered(Video, 0xffff, false, 300));
      for (const camera of cameras) camera.begin();
      const client = node.open();
      // Who plays something is not ended for asking for more.
      client.receive(command(9, 'play', 4, null, 'cam1'));
      client.receive(command(1, 'play', 4, null, 'cam0'));
      send(0, true, 5000);
      await nextTurn();
      for (const each of steps) {
        if (each.what === 'say') client.receive(each.data);
        else if (each.what === 'full') client.isFull = true;
        else if (each.what === 'drain') client.drain();
        else if (each.what === 'turn') await nextTurn();
        else if (each.what === 'stop') cameras[each.camera]!.stop();
        else {
          for (let i = 0; i < each.count; i++) send(each.camera, i === 0 && each.isKey, each.bytes);
          if (each.isFlushed) for (let turns = 0; turns < 2; turns++) await nextTurn();
        }
      }
      // Whatever it did, it can play now; unless it was ended for what it did.
      client.drain();
      for (const id of [1, 2, 3, 0, 17, 0xffffffff]) client.receive(command(id, 'closeStream', 0, null));
      client.receive(command(0, 'getStreamLength', 777, null));
      const isAnswered = (): boolean =>
        client.heard.some(({ type, payload }) => type === 20 && payload.includes(answer));
      await turnsUntil(() => client.destroyed || isAnswered());
      client.receive(command(3, 'play', 4, null, 'cam0'));
      const from = next;
      const sees = (): boolean => client.heard.some((each) => each.streamId === 3 && numberOf(each) >= from);
      await turnsUntil(() => {
        send(0, true, 100);
        client.drain();
        return client.destroyed || sees();
      });
      if (!client.destroyed) played++;
      for (const { type, payload } of client.heard) {
        const n = numberOf({ type, payload });
        if (n >= 0) expect(payload.equals(sent.get(n) ?? Buffer.alloc(0))).toBe(true);
      }
      client.lose();
      for (const camera of cameras) camera.stop();
      for (const camera of node.cameras.values()) {
        expect(camera.snapshot(performance.now())).toMatchObject({ live: false, viewers: 0 });
      }
      expect(node.faults).toEqual([]);
    }),
    { numRuns: 120 },
  );
  // Most go on to the end.
  expect(played).toBeGreaterThan(60);
}, 60_000);
