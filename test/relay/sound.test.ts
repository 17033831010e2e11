import { describe, expect, it } from 'vitest';
import { FlushScheduler } from '../../src/relay/flush-scheduler.js';
import { metadataWithSound } from '../../src/relay/metadata-sound.js';
import { aacHeader, silentFrame } from '../../src/relay/silence.js';
import type { AudioPolicy } from '../../src/relay/stream-format.js';
import type { OpenTranscoder } from '../../src/relay/transcoded-sound.js';
import { decodeAmf0, encodeAmf0 } from '../../src/wire/amf0.js';
import { MessageType, type RtmpMessage } from '../../src/wire/message.js';
import { exMessage } from '../support/enhanced.js';
import { FedStream } from '../support/fed-stream.js';
import { audioFrame, audioHeader, frame, makeOutlet, SpoilingPool, targetFormat, videoHeader } from './fixtures.js';

const { Audio, Video, DataAmf0 } = MessageType;

/** G.711 µ-law, 8 kHz, mono. */
const g711 = (value: number): Buffer => Buffer.concat([Buffer.from([0x82]), Buffer.alloc(160, value & 0xff)]);

function make(audio: AudioPolicy, openTranscoder?: OpenTranscoder) {
  const scheduler = new FlushScheduler();
  const options = { format: targetFormat, gopMaxBytes: 1e6, scheduler, pool: new SpoilingPool() };
  const stream = new FedStream({ ...options, ...(openTranscoder && { openTranscoder }) }, 0);
  const join = () => {
    const made = makeOutlet({ ...targetFormat, audio });
    stream.attach(made.outlet, performance.now());
    return made;
  };
  return { stream, join };
}

/** A second of 25 pictures, and a message of sound for each. */
function second(stream: FedStream, from: number, sound: (value: number) => Buffer = g711): void {
  for (let i = from; i < from + 25; i++) {
    stream.publish(Audio, i * 40, sound(i), performance.now());
    stream.publish(Video, i * 40, frame(i, i % 25 === 0), performance.now());
    stream.flush(performance.now());
  }
}

const times = (messages: readonly RtmpMessage[], type: number): number[] =>
  messages.filter((each) => each.type === type).map(({ timestampMs }) => timestampMs);
const sounds = (messages: readonly RtmpMessage[]): Buffer[] =>
  messages.filter(({ type }) => type === Audio).map(({ payload }) => payload);
const values = (payload: Buffer): unknown => decodeAmf0(payload).at(-1);

const said = (): Buffer =>
  encodeAmf0('@setDataFrame', 'onMetaData', { width: 640, audiocodecid: 8, audiosamplerate: 8000, stereo: false });

describe('a push without sound', () => {
  it('gets pictures and metadata that says nothing of sound, from its first message on', () => {
    const { stream, join } = make('none');
    stream.publish(DataAmf0, 0, said(), 0);
    stream.publish(Video, 0, videoHeader(), 0);
    second(stream, 0);
    const { sink } = join();
    second(stream, 25);
    expect(sounds(sink.messages)).toEqual([]);
    expect(times(sink.messages, Video)).toHaveLength(1 + 50);
    const data = sink.messages.find(({ type }) => type === DataAmf0);
    expect(Object.keys(values(data?.payload ?? Buffer.alloc(0)) as object)).toEqual(['width']);
  });
});

describe('a push with silence', () => {
  it('gets AAC by the clock of the pictures, whatever the camera sends', () => {
    const { stream, join } = make('silence');
    const early = join();
    stream.publish(DataAmf0, 0, said(), 0);
    stream.publish(Video, 0, videoHeader(), 0);
    second(stream, 0);
    const late = join();
    second(stream, 25);
    for (const { sink } of [early, late]) {
      const [first, ...others] = sounds(sink.messages);
      expect(first).toEqual(aacHeader);
      expect(new Set(others.map((payload) => payload.toString('hex')))).toEqual(new Set([silentFrame.toString('hex')]));
      // 1,024 samples of 48,000 a second, through 49 times 40 ms.
      const at = times(sink.messages, Audio).slice(1);
      const all = Array.from({ length: 92 }, (_, i) => Math.round((i * 64) / 3));
      // Who joins late begins at the key frame, behind the sound of its time.
      expect(at).toEqual(sink === early.sink ? all : all.slice(1));
      // Never behind the picture that it is sent before, never ahead of it.
      const media = sink.messages.filter(({ type, payload }) => type !== DataAmf0 && payload[1] === 1);
      const order = media.map(({ timestampMs }) => timestampMs);
      expect(order).toEqual(order.toSorted((a, b) => a - b));
      expect(sink.messages.filter(({ type }) => type === Video)).toHaveLength(1 + 50);
      const data = sink.messages.find(({ type }) => type === DataAmf0);
      const sound = { audiocodecid: 10, audiosamplerate: 48_000, audiosamplesize: 16, stereo: true };
      expect(values(data?.payload ?? Buffer.alloc(0))).toEqual({ width: 640, ...sound });
    }
  });

  it('makes up for no gap, and follows times that go back', () => {
    const { stream, join } = make('silence');
    const { sink } = join();
    stream.publish(Video, 0, videoHeader(), 0);
    for (const ms of [0, 40, 60_000, 60_040]) stream.publish(Video, ms, frame(ms, ms % 60_000 === 0), 0);
    stream.flush(0);
    expect(times(sink.messages, Audio)).toEqual([0, 0, 21, 60_000, 60_021]);
  });

  it('goes on where the target was too slow, with its header at a start', () => {
    const { stream } = make('silence');
    const { outlet, sink } = makeOutlet(
      { ...targetFormat, audio: 'silence' },
      { queueMaxBytes: 2000, queueMaxAgeMs: 60_000 },
    );
    stream.attach(outlet, 0);
    stream.publish(Video, 0, videoHeader(), 0);
    stream.publish(Video, 0, frame(0, true), 0);
    stream.flush(0);
    sink.full = true;
    for (let i = 1; i < 60; i++) {
      stream.publish(Video, i * 40, frame(i, i % 25 === 0, 200), i * 40);
      stream.flush(i * 40);
    }
    sink.drain();
    outlet.resume(3000);
    second(stream, 75);
    const at = times(sink.messages, Audio);
    expect(outlet.drops).toBeGreaterThan(0);
    expect(at).toEqual(at.toSorted((a, b) => a - b));
    expect(at.at(-1)).toBeGreaterThan(3900);
  });
});

describe('a push with AAC', () => {
  function fake() {
    const given: [number, Buffer][] = [];
    let opened = 0;
    let closed = 0;
    let give: (timestampMs: number, payload: Buffer) => void = () => {};
    const open: OpenTranscoder = (onFrame) => {
      opened++;
      give = onFrame;
      return {
        write: (timestampMs, payload) => given.push([timestampMs, Buffer.from(payload)]),
        close: () => closed++,
      };
    };
    const state = (): object => ({ opened, closed });
    return { open, given, state, give: (ms: number) => give(ms, silentFrame) };
  }

  it('passes AAC on as it is, and starts nothing', () => {
    const { open, state } = fake();
    const { stream, join } = make('aac', open);
    stream.publish(Video, 0, videoHeader(), 0);
    stream.publish(Audio, 0, audioHeader(), 0);
    second(stream, 0, audioFrame);
    const { sink } = join();
    second(stream, 25, audioFrame);
    expect(sounds(sink.messages)).toEqual([audioHeader(), ...Array.from({ length: 49 }, (_, i) => audioFrame(i + 1))]);
    expect(state()).toEqual({ opened: 0, closed: 0 });
  });

  it('has one transcoder for all, and pictures in the order of the sound that comes of it', () => {
    const { open, state, given, give } = fake();
    const { stream, join } = make('aac', open);
    const made = [join(), join()];
    stream.publish(Video, 0, videoHeader(), 0);
    second(stream, 0);
    for (const { sink } of made) expect(times(sink.messages, Video)).toHaveLength(26);
    expect(given.map(([ms]) => ms)).toEqual(Array.from({ length: 25 }, (_, i) => i * 40));
    for (let i = 0; i < 46; i++) give(Math.round((i * 64) / 3));
    second(stream, 25);
    for (const { sink } of made) expect(times(sink.messages, Video).at(-1)).toBeLessThan(1000);
    for (let i = 46; i < 94; i++) give(Math.round((i * 64) / 3));
    stream.flush(performance.now());
    for (const { sink } of made) {
      const media = sink.messages.filter(({ type, payload }) => type !== DataAmf0 && payload[1] !== 0);
      const order = media.map(({ timestampMs }) => timestampMs);
      expect(order).toEqual(order.toSorted((a, b) => a - b));
      expect(times(sink.messages, Video)).toHaveLength(1 + 50);
      expect(sounds(sink.messages)[0]).toEqual(aacHeader);
      // What is of later than the last picture waits for the next one.
      expect(times(sink.messages, Audio).at(-1)).toBe(1941);
    }
    expect(state()).toEqual({ opened: 1, closed: 0 });
    // What waits goes out when the stream ends.
    second(stream, 50);
    stream.settle(true);
    stream.flush(performance.now());
    for (const { sink } of made) expect(times(sink.messages, Video).at(-1)).toBe(74 * 40);
    expect(state()).toEqual({ opened: 1, closed: 1 });
  });

  it('sends pictures without waiting where the transcoder gives nothing', () => {
    const { stream, join } = make('aac');
    const { sink } = join();
    stream.publish(Video, 0, videoHeader(), 0);
    second(stream, 0);
    expect(times(sink.messages, Video)).toHaveLength(26);
    expect(sounds(sink.messages)).toEqual([]);
  });

  it('sends the default track of several, and no other', () => {
    const { open, given } = fake();
    const { stream, join } = make('aac', open);
    const { sink } = join();
    const track = (id: number, packet: 0 | 1): Buffer =>
      exMessage({ kind: 'audio', packet, codec: 'Opus', track: id, body: Buffer.from('OpusHead') });
    stream.publish(Video, 0, videoHeader(), 0);
    for (const id of [0, 1]) stream.publish(Audio, 0, track(id, 0), 0);
    stream.publish(Video, 0, frame(0, true), 0);
    for (const id of [0, 1]) stream.publish(Audio, 0, track(id, 1), 0);
    stream.flush(0);
    const plain = (packet: 0 | 1): Buffer =>
      exMessage({ kind: 'audio', packet, codec: 'Opus', body: Buffer.from('OpusHead') });
    expect(given.map(([, payload]) => payload)).toEqual([plain(0), plain(1)]);
    expect(sounds(sink.messages)).toEqual([]);
  });
});

it('leaves metadata that does not end, and other data, as it is', () => {
  for (const payload of [encodeAmf0('onCuePoint', { audiocodecid: 2 }), said().subarray(0, -3)]) {
    expect(metadataWithSound('none', payload)).toBe(payload);
  }
  const aac = encodeAmf0('onMetaData', { audiocodecid: 10, audiodatarate: 64 });
  expect(metadataWithSound('aac', aac)).toBe(aac);
});

it('metadata that is as long as a message may be goes out as it came, rather than longer', () => {
  const { stream } = make('silence');
  const empty = encodeAmf0('onMetaData', { hint: 'x'.repeat(70_000) }).length - 70_000;
  const payload = encodeAmf0('onMetaData', { hint: 'x'.repeat(0xffffff - empty) });
  // Compared here: what a failure would print of them takes more memory than there is.
  expect(stream.dataFor({ ...targetFormat, audio: 'silence' }, payload) === payload).toBe(true);
});

describe('another source', () => {
  it('goes on under silence with times that go up, and with its header again', () => {
    const { stream, join } = make('silence');
    const { sink } = join();
    stream.publish(Video, 0, videoHeader(), 0);
    second(stream, 0);
    stream.restart();
    stream.publish(Video, 0, videoHeader(2), 0);
    second(stream, 0, audioFrame);
    const at = times(sink.messages, Audio);
    expect(at).toEqual(at.toSorted((a, b) => a - b));
    expect(at.at(-1)).toBeGreaterThan(1900);
    expect(sounds(sink.messages).filter((payload) => payload.equals(aacHeader))).toHaveLength(2);
    expect(times(sink.messages, Video)).toHaveLength(52);
  });

  it('with AAC ends the transcoder, and one without begins it again', () => {
    const opened: { isClosed: boolean; give: (ms: number) => void }[] = [];
    const open: OpenTranscoder = (onFrame) => {
      const one = { isClosed: false, give: (ms: number) => onFrame(ms, silentFrame) };
      opened.push(one);
      return {
        write() {},
        close: () => {
          one.isClosed = true;
        },
      };
    };
    const { stream, join } = make('aac', open);
    const { sink } = join();
    stream.publish(Video, 0, videoHeader(), 0);
    second(stream, 0);
    opened[0]?.give(980);
    stream.restart();
    stream.publish(Video, 0, videoHeader(2), 0);
    stream.publish(Audio, 0, audioHeader(), 0);
    second(stream, 0, audioFrame);
    expect(opened.map(({ isClosed }) => isClosed)).toEqual([true]);
    // What comes of it now is of nobody's concern.
    opened[0]?.give(1200);
    expect(sounds(sink.messages)).toHaveLength(2 + 1 + 25);
    stream.restart();
    stream.publish(Video, 0, videoHeader(), 0);
    second(stream, 0);
    expect(opened.map(({ isClosed }) => isClosed)).toEqual([true, false]);
    const at = times(sink.messages, Video);
    expect(at).toHaveLength(3 * 26);
    expect(at).toEqual(at.toSorted((a, b) => a - b));
  });
});
