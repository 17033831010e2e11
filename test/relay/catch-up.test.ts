import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { MessageType } from '../../src/wire/message.js';
import { until } from '../push/targets.js';
import { frame, makeOutlet, makeStream, roomyLimits, targetFormat } from './fixtures.js';

const { Video } = MessageType;

const frameBytes = 40_000;
const frames = 60;
/** When the newest frame came. */
const endMs = frames * 40;
// No limit of age: the log has times of its own here, and who catches up goes by the clock of the process, however late it runs.
const limits = { ...roomyLimits, queueMaxBytes: 64e6, queueMaxAgeMs: Number.POSITIVE_INFINITY };

/** A stream with a GOP of 2.4 megabytes, which is ten steps. */
function withLargeGop() {
  const stream = makeStream(16e6);
  for (let i = 0; i < frames; i++) stream.publish(Video, i * 40, frame(i, i === 0, frameBytes), i * 40);
  return stream;
}

describe('outlets that begin with a large GOP', () => {
  it('get it in steps, so that hundreds who begin at once hold up no frame', async () => {
    const stream = withLargeGop();
    const many = Array.from({ length: 100 }, () => makeOutlet(targetFormat, limits));
    for (const { outlet } of many) stream.attach(outlet, endMs);
    const most = Math.max(...many.map(({ outlet }) => outlet.bytesOut));
    expect(most).toBeLessThan(512 * 1024);
    // What comes meanwhile has its place behind it.
    stream.publish(Video, endMs, frame(frames, false, frameBytes), endMs);
    stream.flush(endMs);
    await until(() => many.every(({ sink }) => sink.messages.length === frames + 1), 20_000, 'all of it at all');
    for (const { sink } of many.slice(0, 3)) {
      expect(sink.messages.every(({ payload }, i) => payload.equals(frame(i, i === 0, frameBytes)))).toBe(true);
    }
  });

  it('go on in a later turn when a socket took a piece at once', async () => {
    const stream = withLargeGop();
    const { outlet, sink } = makeOutlet(targetFormat, limits);
    sink.full = true;
    stream.attach(outlet, endMs);
    const before = outlet.bytesOut;
    sink.drain();
    outlet.resume(endMs + 1);
    expect(outlet.bytesOut).toBe(before);
    await until(() => sink.messages.length === frames, 20_000, 'all of it');
  });

  it('end in the middle of it without a trace', async () => {
    const stream = withLargeGop();
    const { outlet } = makeOutlet(targetFormat, limits);
    stream.attach(outlet, endMs);
    stream.detach(outlet);
    const bytes = outlet.bytesOut;
    for (let i = 0; i < 5; i++) await turn();
    expect(outlet.bytesOut).toBe(bytes);
  });

  it('say when they have caught up, so that who waits for the end of it is not forgotten', async () => {
    const stream = withLargeGop();
    let told = 0;
    const { outlet, sink } = makeOutlet(targetFormat, limits);
    Object.assign(sink, { caughtUp: () => told++ });
    stream.attach(outlet, endMs);
    await until(() => told > 0, 20_000, 'the word');
    expect(outlet.drained).toBe(true);
    expect(told).toBe(1);
  });
});
