import { expect, it } from 'vitest';
import { MessageChannel } from '../../src/rtmp/channel.js';
import { PeerMeter } from '../../src/rtmp/peer-meter.js';
import { MessageType } from '../../src/wire/message.js';
import { aggregatePart, oddMessage } from '../support/odd-bytes.js';

interface Heard {
  readonly channel: MessageChannel;
  readonly parts: { readonly timestampMs: number; readonly payload: string }[];
  readonly ignored: string[];
}

function hear(meter: PeerMeter | undefined, onPart: (heard: Heard) => void = () => {}): Heard {
  const heard: Heard = {
    parts: [],
    ignored: [],
    channel: new MessageChannel({
      write: () => {},
      limits: { maxChunkStreams: 8, maxMessageBytes: 1 << 20, maxPartialBytes: 1 << 21 },
      meter,
      listener: {
        onMessage: (_type, timestampMs, _streamId, payload) => {
          heard.parts.push({ timestampMs, payload: payload.toString('hex') });
          onPart(heard);
        },
        onIgnored: (kind, detail) => heard.ignored.push(`${kind}: ${detail}`),
      },
    }),
  };
  return heard;
}

const frame = (index: number): Buffer => Buffer.from([0x27, 1, 0, 0, 0, index >> 8, index & 255]);
const aggregate = (count: number, tail = Buffer.alloc(0)): Buffer =>
  oddMessage({
    type: MessageType.Aggregate,
    csid: 7,
    timeMs: 500,
    payload: Buffer.concat([
      ...Array.from({ length: count }, (_, index) => aggregatePart(9, index, frame(index))),
      tail,
    ]),
  });
const single = oddMessage({ type: 9, csid: 6, timeMs: 9000, payload: frame(9999) });
const expected = (count: number): Heard['parts'] => [
  ...Array.from({ length: count }, (_, index) => ({ timestampMs: 500 + index, payload: frame(index).toString('hex') })),
  { timestampMs: 9000, payload: frame(9999).toString('hex') },
];

it('thousands of parts in one message are dealt with in several turns, and in order', () => {
  const meter = new PeerMeter();
  const heard = hear(meter);
  const bytes = Buffer.concat([aggregate(3000), single]);
  meter.grant(256);
  heard.channel.receive(bytes);
  bytes.fill(0xaa); // as the next read would
  const counts = [heard.parts.length];
  while (heard.channel.isHeld) {
    expect(heard.channel.partialBytes).toBe((3000 - heard.parts.length) * (11 + 7 + 4) + single.length);
    meter.grant(256);
    heard.channel.release();
    counts.push(heard.parts.length - counts.reduce((sum, each) => sum + each, 0));
    expect(counts.length).toBeLessThan(100);
  }
  expect(Math.max(...counts)).toBeLessThanOrEqual(256);
  expect(heard.parts).toEqual(expected(3000));
  expect(heard.ignored).toEqual([]);
  expect(heard.channel.partialBytes).toBe(0);
});

it('held by whoever takes a part, it goes on behind that part', () => {
  const heard = hear(undefined, ({ channel, parts }) => {
    if (parts.length % 3 === 0) channel.hold();
  });
  heard.channel.receive(Buffer.concat([aggregate(10, Buffer.from([9, 0, 0])), single]));
  expect(heard.parts).toHaveLength(3);
  const more = oddMessage({ type: 9, csid: 6, timeMs: 9001, payload: frame(1) });
  heard.channel.receive(more);
  expect(heard.parts).toHaveLength(3);
  for (let turn = 0; heard.channel.isHeld && turn < 20; turn++) heard.channel.release();
  expect(heard.parts).toEqual([...expected(10), { timestampMs: 9001, payload: frame(1).toString('hex') }]);
  expect(heard.ignored).toEqual(['aggregate: an aggregate ends 3 bytes into the header of a part']);
});

it('a failure in a part that was kept comes out of the release', () => {
  const meter = new PeerMeter();
  const heard = hear(meter);
  meter.grant(3);
  const empty = Array.from({ length: 4000 }, () => aggregatePart(9, 0, Buffer.alloc(0)));
  heard.channel.receive(oddMessage({ type: MessageType.Aggregate, csid: 7, payload: Buffer.concat(empty) }));
  expect(() => {
    for (let turn = 0; heard.channel.isHeld && turn < 2000; turn++) {
      meter.grant(100);
      heard.channel.release();
    }
  }).toThrow(/useless/);
});
