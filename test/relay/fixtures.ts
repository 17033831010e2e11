import { FlushScheduler } from '../../src/relay/flush-scheduler.js';
import { Outlet } from '../../src/relay/outlet.js';
import type { OutletLimits, OutletSink } from '../../src/relay/outlet-sink.js';
import { SlabPool } from '../../src/relay/slab-pool.js';
import { chunkSizeMessage, type StreamFormat } from '../../src/relay/stream-format.js';
import type { TrackChoice } from '../../src/relay/track-choice.js';
import { encodeAmf0 } from '../../src/wire/amf0.js';
import { ChunkReader } from '../../src/wire/chunk-reader.js';
import { MessageType, type RtmpMessage } from '../../src/wire/message.js';
import { FedStream } from '../support/fed-stream.js';

export const targetFormat: StreamFormat = { chunkBytes: 4096, streamId: 1, publishing: true };
export const viewerFormat: StreamFormat = { chunkBytes: 4096, streamId: 1, publishing: false };

/** A sink whose owner decides when it is full, and that reads back what was written. */
export class TestSink implements OutletSink {
  readonly messages: RtmpMessage[] = [];
  full = false;
  pendingBytes = 0;
  writes = 0;
  readonly #reader: ChunkReader;
  readonly #announcement: Buffer;

  constructor(chunkBytes: number) {
    this.#reader = new ChunkReader(
      (type, timestampMs, streamId, payload) => {
        if (type !== MessageType.SetChunkSize) {
          this.messages.push({ type, timestampMs, streamId, payload: Buffer.from(payload) });
        }
      },
      { maxMessageBytes: 1 << 24, maxChunkStreams: 8, maxPartialBytes: 1 << 24 },
    );
    this.#announcement = chunkSizeMessage(chunkBytes);
    this.#reader.feed(this.#announcement);
  }

  /** What a full socket holds is read when it sends it: until then nobody may write over it. */
  readonly #held: Buffer[] = [];

  write(data: Buffer, goesOn = false): boolean {
    this.writes++;
    if (this.full) {
      this.#held.push(data);
      this.pendingBytes += data.length;
    } else {
      this.#reader.feed(data);
    }
    if (!goesOn) this.#interlope();
    return !this.full;
  }

  /** As a connection that answers, or pings: it may wherever no message goes on, and where one does, that would not be read. */
  #interlope(): void {
    if (this.full) this.#held.push(this.#announcement);
    else this.#reader.feed(this.#announcement);
  }

  /** There is room again. */
  drain(): void {
    this.full = false;
    for (const data of this.#held.splice(0)) this.#reader.feed(data);
    this.pendingBytes = 0;
  }
}

export const roomyLimits: OutletLimits = { queueMaxBytes: 8e6, queueMaxAgeMs: 5000 };

/** A pool that spoils what it is given: whoever still reads that shows it at once. */
export class SpoilingPool extends SlabPool {
  given = 0;

  override give(buffer: Buffer): void {
    this.given++;
    buffer.fill(0xee);
    super.give(buffer);
  }
}

export function makeStream(gopMaxBytes = 1e6, format = targetFormat, pool = new SpoilingPool()): FedStream {
  return new FedStream({ format, gopMaxBytes, scheduler: new FlushScheduler(), pool }, 0);
}

export function makeOutlet(
  format = targetFormat,
  limits = roomyLimits,
  tracks?: TrackChoice,
): { outlet: Outlet; sink: TestSink } {
  const sink = new TestSink(format.chunkBytes);
  return { sink, outlet: new Outlet({ sink, format, limits, tracks }) };
}

/** AVC sequence header; `version` tells several apart. */
export function videoHeader(version = 1): Buffer {
  return Buffer.from([0x17, 0, 0, 0, 0, version, 0x64, 0, 0x1f]);
}

export function audioHeader(): Buffer {
  return Buffer.from([0xaf, 0, 0x12, 0x10]);
}

/** An AVC frame that carries its own number. */
export function frame(number: number, key: boolean, bytes = 64): Buffer {
  const payload = Buffer.alloc(Math.max(bytes, 9), number & 0xff);
  payload[0] = key ? 0x17 : 0x27;
  payload[1] = 1;
  payload.writeUInt32BE(number, 5);
  return payload;
}

export function audioFrame(number: number): Buffer {
  const payload = Buffer.alloc(16, number & 0xff);
  payload[0] = 0xaf;
  payload[1] = 1;
  return payload;
}

export function metadata(width: number): Buffer {
  return encodeAmf0('@setDataFrame', 'onMetaData', { width });
}
