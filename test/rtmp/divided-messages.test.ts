import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Dialer } from '../../src/net/dialer.js';
import type { MediaSocket, MediaSocketListener } from '../../src/net/media-socket.js';
import { heardMs } from '../../src/process/standstill.js';
import { MediaLog } from '../../src/relay/media-log.js';
import { Outlet } from '../../src/relay/outlet.js';
import type { OutletSource } from '../../src/relay/outlet-source.js';
import { chunkSizeMessage, type StreamFormat } from '../../src/relay/stream-format.js';
import { OutgoingAttempt } from '../../src/rtmp/outgoing-attempt.js';
import { OutgoingFlow } from '../../src/rtmp/outgoing-flow.js';
import { encodedLength, encodeMessage } from '../../src/wire/chunk-writer.js';
import { ChunkStreamId, MessageType } from '../../src/wire/message.js';
import { frame, makeStream, SpoilingPool, targetFormat } from '../relay/fixtures.js';
import { ChunkParser, encodeChunks, encodeCommand, type RawMessage } from '../support/rtmp-bytes.js';

afterEach(() => {
  vi.restoreAllMocks();
});

const { Acknowledgement, Audio, UserControl, Video } = MessageType;

/** What a publisher says besides its commands, pings and media. */
const expected: readonly number[] = [MessageType.SetChunkSize, Acknowledgement, MessageType.WindowAckSize];

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** A socket over a kernel of some room. What the kernel did not take yet is read when it does, as by a real one. */
class ModelSocket implements Partial<MediaSocket> {
  readonly remoteAddress = undefined;
  bytesWritten = 0;
  bytesRead = 0;
  listener: MediaSocketListener | null = null;
  /** What the far side has read. */
  taken = 0;
  readonly #room: number;
  readonly #waiting: Buffer[] = [];
  #waitingBytes = 0;
  readonly #kernel: Buffer[] = [];
  #kernelBytes = 0;
  #needsDrain = false;

  constructor(room: number) {
    this.#room = room;
  }

  get pendingBytes(): number {
    return this.#waitingBytes;
  }

  /** What `/proc/net/tcp` says of it. */
  get kernelBytes(): number {
    return this.#kernelBytes;
  }

  get progress(): number {
    return this.bytesWritten - this.#waitingBytes;
  }

  listen(listener: MediaSocketListener): void {
    this.listener = listener;
  }

  write(data: Buffer): boolean {
    this.bytesWritten += data.length;
    this.#waiting.push(data);
    this.#waitingBytes += data.length;
    this.#handOver();
    this.#needsDrain ||= this.#waitingBytes > 0;
    return !this.#needsDrain;
  }

  /** The far side reads. */
  read(most: number): Buffer {
    const parts: Buffer[] = [];
    for (let left = most; left > 0 && this.#kernel.length > 0; ) {
      const piece = this.#kernel[0]!;
      parts.push(piece.subarray(0, left));
      if (piece.length <= left) this.#kernel.shift();
      else this.#kernel[0] = piece.subarray(left);
      left -= piece.length;
    }
    const data = Buffer.concat(parts);
    this.#kernelBytes -= data.length;
    this.taken += data.length;
    this.#handOver();
    return data;
  }

  /** As the event of a socket, behind what was read. */
  drain(): void {
    if (!this.#needsDrain || this.#waitingBytes > 0) return;
    this.#needsDrain = false;
    this.listener?.onDrain();
  }

  #handOver(): void {
    while (this.#waiting.length > 0 && this.#kernelBytes < this.#room) {
      const piece = this.#waiting[0]!;
      const part = Buffer.from(piece.subarray(0, this.#room - this.#kernelBytes));
      this.#kernel.push(part);
      this.#kernelBytes += part.length;
      this.#waitingBytes -= part.length;
      if (part.length === piece.length) this.#waiting.shift();
      else this.#waiting[0] = piece.subarray(part.length);
    }
  }

  pause(): void {}
  resume(): void {}
  end(): void {}
  destroy(): void {}
}

/** What a target tells of the bytes that it took. */
type Telling = 'never' | 'half of them' | 'for a while' | 'always';

/** The far side: an RTMP server of few words, which shares no code with what writes to it. */
class FarSide {
  readonly media: RawMessage[] = [];
  pings = 0;
  readonly #socket: ModelSocket;
  readonly #streamId: number;
  readonly #telling: Telling;
  readonly #parser = new ChunkParser();
  #greeting: Buffer = Buffer.alloc(0);
  #isGreeted = false;
  #toldAt = 0;

  constructor(socket: ModelSocket, streamId: number, telling: Telling) {
    this.#socket = socket;
    this.#streamId = streamId;
    this.#telling = telling;
  }

  read(most: number): number {
    const data = this.#socket.read(most);
    for (const message of this.#parser.feed(this.#isGreeted ? data : this.#greet(data))) this.#take(message);
    this.#tell();
    return data.length;
  }

  #say(data: Buffer): void {
    this.#socket.listener?.onData(data);
  }

  /** @returns what comes behind the handshake */
  #greet(data: Buffer): Buffer {
    const before = this.#greeting.length;
    this.#greeting = Buffer.concat([this.#greeting, data]);
    if (before < 1537 && this.#greeting.length >= 1537)
      this.#say(Buffer.concat([Buffer.from([3]), Buffer.alloc(1536, 7), this.#greeting.subarray(1, 1537)]));
    this.#isGreeted = this.#greeting.length >= 3073;
    return this.#greeting.subarray(3073);
  }

  #take(message: RawMessage): void {
    const { type, payload } = message;
    if (type === Audio || type === Video) this.media.push(message);
    else if (type === UserControl && payload.readUInt16BE(0) === 6) {
      this.pings++;
      const pong = Buffer.concat([Buffer.from([0, 7]), payload.subarray(2)]);
      this.#say(encodeChunks(2, { type: UserControl, streamId: 0, timestampMs: 0, payload: pong }));
    } else if (type === MessageType.CommandAmf0) {
      const asked = payload.toString('latin1');
      if (asked.includes('createStream')) this.#say(encodeCommand(0, '_result', 4, null, this.#streamId));
      else if (asked.includes('\u0007publish'))
        this.#say(
          encodeCommand(this.#streamId, 'onStatus', 0, null, { level: 'status', code: 'NetStream.Publish.Start' }),
        );
      else if (asked.includes('\u0007connect'))
        this.#say(encodeCommand(0, '_result', 1, {}, { code: 'NetConnection.Connect.Success' }));
    } else expect(expected).toContain(type);
  }

  #tell(): void {
    const { taken } = this.#socket;
    if (this.#telling === 'never' || taken - this.#toldAt < 20_000) return;
    if (this.#telling === 'for a while' && taken > 1_000_000) return;
    this.#toldAt = taken;
    const payload = Buffer.alloc(4);
    payload.writeUInt32BE(this.#telling === 'half of them' ? Math.floor(taken / 2) : taken);
    this.#say(encodeChunks(2, { type: Acknowledgement, streamId: 0, timestampMs: 0, payload }));
  }
}

/** A real connection to the far side, by a clock of the test's. */
function connect(options: { streamId: number; chunkBytes: number; telling: Telling; kernelBytes: number }) {
  const budget = { queueMaxBytes: 1_000_000, queueMaxAgeMs: 4000 };
  const socket = new ModelSocket(options.kernelBytes);
  const far = new FarSide(socket, options.streamId, options.telling);
  let streamId = -1;
  let failure: unknown = null;
  let outlet: Outlet | undefined;
  const attempt = new OutgoingAttempt({
    url: {
      scheme: 'rtmp',
      host: '192.0.2.1',
      port: 1935,
      app: 'live',
      streamName: 'cam',
      tcUrl: 'rtmp://192.0.2.1/live',
    },
    query: '',
    introduction: {},
    shownUrl: 'rtmp://192.0.2.1/live/cam',
    settings: {
      ...{
        outChunkBytes: options.chunkBytes,
        connectTimeoutMs: 5000,
        maxMessageBytes: 1 << 20,
        maxCommandBytes: 1 << 16,
      },
      ...{ maxAmfDepth: 32, maxChunkStreams: 64 },
    },
    dialer: { connect: () => socket as unknown as MediaSocket } as unknown as Dialer,
    budget,
    mayGoUnanswered: false,
    mayPing: true,
    handler: {
      onStep() {},
      onCommand() {},
      onPublished: (id) => {
        streamId = id;
      },
      onDrain: () => outlet?.resume(performance.now()),
      onRefused: (error) => {
        failure = error;
      },
      onReconnectRequest() {},
      onFailed: (error) => {
        failure = error;
      },
    },
  });
  attempt.onConnected();
  while (far.read(1e6) > 0);
  expect(failure).toBe(null);
  expect(streamId).toBe(options.streamId);
  const format = { ...targetFormat, chunkBytes: options.chunkBytes, streamId };
  outlet = new Outlet({ sink: attempt, format, limits: budget });
  return { attempt, socket, far, outlet, failure: () => failure };
}

describe('a target whose messages are divided over two pieces of memory', () => {
  const step = fc.record({
    kind: fc.constantFrom('picture', 'picture', 'sound'),
    bytes: fc.oneof(fc.integer({ min: 9, max: 3000 }), fc.integer({ min: 3000, max: 30_000 }), fc.constant(100_000)),
    ms: fc.integer({ min: 5, max: 200 }),
    /** What the target reads at most, of what it usually reads. */
    share: fc.constantFrom(0, 0.1, 0.5, 1, 3),
    isFlushed: fc.boolean(),
    isTold: fc.boolean(),
  });

  it('gets whole ones with its pings in between, however little it acknowledges, and jumps only to key frames', async () => {
    let nowMs = performance.now();
    vi.spyOn(performance, 'now').mockImplementation(() => nowMs);
    const seen = { pings: 0, jumps: 0, lossless: 0, slow: 0 };
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 150, maxLength: 300 }),
        fc.constantFrom<Telling>('never', 'never', 'half of them', 'for a while', 'always'),
        fc.constantFrom(1, 77),
        fc.constantFrom(128, 4096, 65_536),
        fc.constantFrom(64_000, 300_000, 3_000_000),
        fc.constantFrom(20_000, 60_000, 500_000),
        async (steps, telling, streamId, chunkBytes, kernelBytes, bytesAStep) => {
          const stream = makeStream(2e6, { ...targetFormat, chunkBytes });
          const { attempt, socket, far, outlet, failure } = connect({ streamId, chunkBytes, telling, kernelBytes });
          stream.attach(outlet, nowMs);
          const sent: Buffer[] = [];
          let looked = 0;
          let nextKey = 0;
          for (const { kind, bytes, ms, share, isFlushed, isTold } of steps) {
            nowMs += ms;
            heardMs(nowMs);
            const number = sent.length;
            const isKey = number >= nextKey && (kind === 'picture' || number === 0);
            if (isKey) nextKey = number + 20;
            const isSound = kind === 'sound' && !isKey;
            const payload = frame(number, isKey, bytes);
            if (isSound) payload[0] = 0xaf;
            sent.push(payload);
            stream.publish(isSound ? Audio : Video, number * 20, payload, nowMs);
            if (isFlushed) stream.flush(nowMs);
            far.read(share * bytesAStep);
            socket.drain();
            if (isTold) {
              attempt.flow.queued(socket.kernelBytes, attempt.flow.handedBytes, nowMs);
              const unread = socket.bytesWritten - socket.taken;
              if (telling === 'never') expect(attempt.flightBytes).toBeLessThanOrEqual(unread);
            }
            if (nowMs - looked > 900) {
              looked = nowMs;
              attempt.look(nowMs);
              if (attempt.flow.isSlow) seen.slow++;
            }
            await nextTurn();
          }
          stream.flush(nowMs);
          for (let idle = 0; idle < 10; idle++) {
            nowMs += 100;
            heardMs(nowMs);
            if (far.read(1e6) > 0) idle = 0;
            socket.drain();
            attempt.flow.queued(socket.kernelBytes, attempt.flow.handedBytes, nowMs);
            await nextTurn();
          }
          expect(failure()).toBe(null);
          let last = -1;
          for (const { payload, streamId: id } of far.media) {
            const number = payload.readUInt32BE(5);
            expect(payload.equals(sent[number]!)).toBe(true);
            expect(id).toBe(streamId);
            if (number !== last + 1) expect(payload[0]).toBe(0x17);
            expect(number).toBeGreaterThan(last);
            if (last >= 0 && number !== last + 1) seen.jumps++;
            last = number;
          }
          const { total, bytes, age } = outlet.droppedFrames;
          if (total + bytes + age === 0 && far.media.length > 0) {
            seen.lossless++;
            expect(last).toBe(sent.length - 1);
          }
          seen.pings += far.pings;
          stream.detach(outlet);
          attempt.destroy();
        },
      ),
      { numRuns: 30, endOnFailure: true },
    );
    // Of all that is to be seen, something was.
    expect(Object.entries(seen).filter(([, times]) => times === 0)).toEqual([]);
  });

  it('gets a ping behind each, and never inside one, wherever it is divided', () => {
    const chunkBytes = 128;
    const format = { ...targetFormat, chunkBytes };
    const timestampMs = 0x1234567;
    const bytesOf = (length: number): number => encodedLength(length, timestampMs, ChunkStreamId.Video, chunkBytes);
    const ping = encodeMessage(2, UserControl, 0, 0, Buffer.from([0, 6, 0, 0, 0, 1]), 128);
    const readers = [
      { streamId: 1, room: 1e9 },
      { streamId: 1, room: 64 },
      { streamId: 77, room: 1e9 },
      { streamId: 77, room: 64 },
    ].map(({ streamId, room }) => new PingedReader({ ...format, streamId }, room, ping));
    const from = (position: (reader: PingedReader) => number) => () => Math.min(...readers.map(position));
    const log = new MediaLog(
      format,
      new SpoilingPool(),
      {
        readingFrom: from(({ outlet }) => outlet.position ?? 0),
        sendingFrom: from(({ outlet }) => outlet.sendingFrom),
      },
      0,
    );
    const sent: Buffer[] = [];
    const publish = (length: number): void => {
      sent.push(frame(sent.length, false, length));
      log.append(Video, timestampMs, sent.at(-1)!, 0);
      for (const reader of readers) reader.outlet.flush(0);
      log.reclaim();
      for (const reader of readers) reader.read();
    };
    log.setMark(0, [], timestampMs, 0);
    for (const { outlet } of readers) outlet.begin(sourceOf(log), 0);
    const length = 1500;
    const places: number[] = [];
    for (let room = 1024; room < bytesOf(length); room++) {
      // Others before it, until there is so much room.
      const roomNow = (): number => log.head.data.length - log.head.end;
      do {
        const rest = roomNow() - room;
        let filler = Math.min(1000, rest - bytesOf(0));
        while (filler > 9 && rest - bytesOf(filler) !== 0 && rest - bytesOf(filler) < bytesOf(9)) filler--;
        publish(rest < bytesOf(9) ? 1000 : filler);
      } while (roomNow() !== room);
      publish(length);
      places.push(bytesOf(length) - log.head.lead);
    }
    expect(places).toEqual(Array.from({ length: bytesOf(length) - 1024 }, (_, i) => 1024 + i));
    for (const { media, pingsIn, pingsOut } of readers) {
      expect(media.every((payload, i) => payload.equals(sent[i]!))).toBe(true);
      expect(media.length).toBe(sent.length);
      expect(pingsIn).toBe(pingsOut);
      expect(pingsIn).toBeGreaterThanOrEqual(places.length);
    }
  });
});

/** One that is pinged as often as can be. */
class PingedReader {
  readonly outlet: Outlet;
  readonly media: Buffer[] = [];
  pingsOut = 0;
  pingsIn = 0;
  readonly #socket: ModelSocket;
  readonly #streamId: number;
  readonly #parser = new ChunkParser();

  /** @param room of its kernel, bytes */
  constructor(format: StreamFormat, room: number, ping: Buffer) {
    const socket = new ModelSocket(room);
    const budget = { queueMaxBytes: 1e9, queueMaxAgeMs: 1e9 };
    const flow = new OutgoingFlow(socket as unknown as MediaSocket, budget, () => this.outlet.resume(0));
    flow.onPosition = () => {
      this.pingsOut++;
      socket.write(ping);
    };
    flow.tellAt(0);
    socket.listen({ onDrain: () => flow.drained() } as MediaSocketListener);
    this.#socket = socket;
    this.#streamId = format.streamId;
    this.#parser.feed(chunkSizeMessage(format.chunkBytes));
    this.outlet = new Outlet({ sink: flow, format, limits: budget });
  }

  read(): void {
    for (let data = this.#socket.read(1e9); data.length > 0; data = this.#socket.read(1e9)) {
      for (const { type, streamId, payload } of this.#parser.feed(data)) {
        if (type === UserControl) this.pingsIn++;
        else {
          expect([type, streamId]).toEqual([Video, this.#streamId]);
          this.media.push(payload);
        }
      }
      this.#socket.drain();
    }
  }
}

function sourceOf(log: MediaLog): OutletSource {
  return {
    ...{ log, hasVideo: true, tracks: [], defaultVideo: 0, defaultAudio: null },
    ...{ headersNow: () => Buffer.alloc(0), headersOf: () => Buffer.alloc(0) },
  };
}
