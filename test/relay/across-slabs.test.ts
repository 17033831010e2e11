import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LogCopy } from '../../src/relay/log-copy.js';
import { type LogReaders, MediaLog } from '../../src/relay/media-log.js';
import { SlabPool } from '../../src/relay/slab-pool.js';
import { chunkStreamOf } from '../../src/relay/stream-format.js';
import { encodeMessage } from '../../src/wire/chunk-writer.js';
import { MessageType } from '../../src/wire/message.js';
import { frame, makeOutlet, makeStream, roomyLimits, targetFormat, viewerFormat } from './fixtures.js';

const { Audio, Video } = MessageType;

/** A control message: where it comes in the middle of another message, no reader goes on with that as it was. */
const acknowledgement = encodeMessage(2, MessageType.Acknowledgement, 0, 0, Buffer.alloc(4), 128);

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

const noReaders: LogReaders = { readingFrom: () => 0, sendingFrom: () => 0 };

/** Extended timestamps and several chunks too. */
const message = fc.record({
  type: fc.constantFrom(Audio, Video, Video),
  bytes: fc.oneof(fc.integer({ min: 9, max: 600 }), fc.integer({ min: 600, max: 30_000 }), fc.constantFrom(70_000)),
  timestampMs: fc.constantFrom(0, 40, 0xffffff, 0x1234567),
  isMarked: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
});

describe('a log', () => {
  it('has all its messages one behind the other, marked ones whole, and leaves hardly anything of a slab empty', () => {
    fc.assert(
      fc.property(
        fc.array(message, { minLength: 20, maxLength: 60 }),
        fc.constantFrom(128, 4096, 65_536),
        (messages, chunkBytes) => {
          const log = new MediaLog({ ...targetFormat, chunkBytes }, new SlabPool(), noReaders, 0);
          const first = log.head;
          const wire: Buffer[] = [];
          const marked = new Set<number>();
          for (const [i, { type, bytes, timestampMs, isMarked }] of messages.entries()) {
            if (isMarked) {
              log.setMark(0, [], timestampMs, i);
              marked.add(log.position);
            }
            const payload = frame(i, isMarked, bytes);
            log.append(type, timestampMs, payload, i);
            wire.push(encodeMessage(chunkStreamOf(type), type, timestampMs, 1, payload, chunkBytes));
          }
          const slabs: Buffer[] = [];
          for (let slab = first; ; slab = slab.next) {
            slabs.push(slab.data.subarray(0, slab.end));
            if (slab.next === null) break;
            const isFull = slab.data.length - slab.end < 1024;
            expect(isFull || marked.has(slab.next.base)).toBe(true);
            if (marked.has(slab.next.base)) expect(slab.next.lead).toBe(0);
          }
          expect(Buffer.concat(slabs).equals(Buffer.concat(wire))).toBe(true);
          if (log.marks.length === 0) return;
          const copied: Buffer[] = [];
          new LogCopy(
            log,
            (type, timestampMs, payload) => {
              copied.push(encodeMessage(chunkStreamOf(type), type, timestampMs, 1, payload, chunkBytes));
            },
            () => {},
          ).step(0, true);
          const from = messages.findLastIndex(({ isMarked }) => isMarked);
          expect(Buffer.concat(copied).equals(Buffer.concat(wire.slice(from)))).toBe(true);
        },
      ),
      { numRuns: 150 },
    );
  });

  it('of tags has each in one slab, since who gets them may shift their times', () => {
    const log = new MediaLog({ ...targetFormat, container: 'flv' }, new SlabPool(), noReaders, 0);
    for (let i = 0; i < 50; i++) log.append(Video, i * 40, frame(i, false, 10_000), i);
    for (let slab = log.head; slab.next !== null; slab = slab.next) expect(slab.next.lead).toBe(0);
  });
});

describe('a message that goes on in the next slab', () => {
  const step = fc.record({
    what: fc.constantFrom('frame', 'frame', 'sound', 'frame', 'key', 'flush', 'full', 'room', 'pause', 'go on', 'away'),
    bytes: fc.oneof(fc.integer({ min: 9, max: 900 }), fc.integer({ min: 900, max: 30_000 }), fc.constant(70_000)),
    who: fc.nat(4),
  });

  it('goes out whole, whatever sinks do, with nothing in between, and to everybody', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 100, maxLength: 300 }),
        fc.integer({ min: 30_000, max: 400_000 }),
        async (steps, queueMaxBytes) => {
          const stream = makeStream(300_000);
          const limits = { ...roomyLimits, queueMaxBytes, queueMaxAgeMs: 1e9 };
          const members = [
            makeOutlet(targetFormat, limits),
            // Message by message.
            makeOutlet(targetFormat, limits, { video: 0, audio: 'all' }),
            makeOutlet(viewerFormat, limits),
            makeOutlet({ ...targetFormat, streamId: 77 }, limits),
            makeOutlet(targetFormat, limits),
          ];
          const sent: Buffer[] = [];
          for (const { outlet } of members) stream.attach(outlet, 0);
          for (const { what, bytes, who } of steps) {
            const { outlet, sink } = members[who]!;
            const nowMs = sent.length * 40;
            if (what === 'frame' || what === 'key' || what === 'sound') {
              const payload = frame(sent.length, what === 'key', bytes);
              if (what === 'sound') payload[0] = 0xaf;
              sent.push(payload);
              stream.publish(what === 'sound' ? Audio : Video, nowMs, payload, nowMs);
            } else if (what === 'flush') stream.flush(nowMs);
            else if (what === 'full') sink.full = true;
            else if (what === 'pause') outlet.hold();
            else if (what === 'go on') outlet.release(nowMs);
            else if (what === 'room') {
              sink.drain();
              outlet.resume(nowMs);
            } else {
              stream.detach(outlet);
              stream.attach(outlet, nowMs);
            }
            for (const member of members) member.sink.write(acknowledgement);
          }
          for (const { outlet, sink } of members) {
            sink.drain();
            outlet.resume(sent.length * 40);
          }
          while (members.some(({ outlet }) => outlet.position !== null && outlet.queueBytes > 0)) await nextTurn();
          for (const [who, { sink }] of members.entries()) {
            const media = sink.messages.filter(({ type }) => type !== MessageType.Acknowledgement);
            for (const { payload, streamId } of media) {
              expect(payload.equals(sent[payload.readUInt32BE(5)]!)).toBe(true);
              expect(streamId).toBe(who === 3 ? 77 : 1);
            }
            expect(sink.messages.length - media.length).toBe(steps.length);
          }
        },
      ),
      { numRuns: 100 },
    );
  });

  it('is part of what a socket holds, so neither slab is used again before it is sent', async () => {
    const stream = makeStream(1e6);
    const { outlet, sink } = makeOutlet(targetFormat, { queueMaxBytes: 1e9, queueMaxAgeMs: 1e9 });
    stream.attach(outlet, 0);
    const bytes = 10_000;
    let full = 0;
    for (let i = 0; i < 60; i++) {
      if (i === 30) sink.full = true;
      stream.publish(Video, i, frame(i, i % 10 === 0, bytes), i);
      stream.flush(i);
      if (i === 30) full = sink.pendingBytes;
    }
    expect(full).toBeGreaterThan(bytes);
    sink.drain();
    outlet.resume(60);
    while (outlet.queueBytes > 0) await nextTurn();
    expect(
      sink.messages.map(({ payload }) => payload.equals(frame(payload.readUInt32BE(5), payload[0] === 0x17, bytes))),
    ).not.toContain(false);
    expect(sink.messages.length).toBe(60);
  });
});
