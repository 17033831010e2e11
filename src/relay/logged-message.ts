import { encodedLength } from '../wire/chunk-writer.js';
import { MessageType } from '../wire/message.js';
import type { OutletSink } from './outlet-sink.js';
import type { Slab } from './slab.js';
import type { StreamFormat } from './stream-format.js';

/** A log of chunks writes every message so: a basic header of one byte, and a message header of format 0 (5.3.1). */
const timestampAt = 1;
const lengthAt = 4;
const typeAt = 7;
const streamIdAt = 8;
const headerBytes = 12;
const extendedMark = 0xffffff;
/** A continuation has a basic header of one byte, and repeats an extended timestamp. */
const continuationBytes = 1;
const extendedBytes = 4;
/** A tag of FLV, and the size that follows it. */
const flvTagHeaderBytes = 11;
const flvTagSizeBytes = 4;

/** A message as it lies in a log of chunks. */
export interface LoggedMessage {
  readonly type: number;
  readonly timestampMs: number;
  /** A view where the message is one chunk in one slab, else a copy. */
  readonly payload: Buffer;
  /** Where the next one begins. */
  readonly end: number;
}

/** Where the message at `at` ends. */
function endOf(data: Buffer, at: number, chunkBytes: number): number {
  const timestampMs = data.readUIntBE(at + timestampAt, 3);
  return at + encodedLength(data.readUIntBE(at + lengthAt, 3), timestampMs, data[at]! & 0x3f, chunkBytes);
}

/** Reads the message at `at`, which is whole in `data`, of a log that writes chunks of `chunkBytes`. */
function readLogged(data: Buffer, at: number, chunkBytes: number): LoggedMessage {
  const field = data.readUIntBE(at + timestampAt, 3);
  const isExtended = field === extendedMark;
  const length = data.readUIntBE(at + lengthAt, 3);
  const start = at + headerBytes + (isExtended ? extendedBytes : 0);
  let payload = data.subarray(start, start + length);
  if (length > chunkBytes) {
    payload = Buffer.allocUnsafe(length);
    const between = continuationBytes + (isExtended ? extendedBytes : 0);
    let from = start;
    for (let have = 0; have < length; have += chunkBytes) {
      from += data.copy(payload, have, from, from + Math.min(chunkBytes, length - have)) + between;
    }
  }
  return {
    type: data[at + typeAt]!,
    timestampMs: isExtended ? data.readUInt32BE(at + headerBytes) : field,
    payload,
    end: endOf(data, at, chunkBytes),
  };
}

/**
 * Reads the message at `at` of a slab of chunks. It may go on in the next slab: `end` is counted from the beginning of this
 * one all the same.
 */
export function readInSlab(slab: Slab, at: number, chunkBytes: number): LoggedMessage {
  const end = endOf(slab.data, at, chunkBytes);
  if (end <= slab.end) return readLogged(slab.data, at, chunkBytes);
  return { ...readLogged(slab.slice(at, end), 0, chunkBytes), end };
}

/** Reads the message at `at` of a log of FLV tags (Adobe Flash Video File Format 10.1, E.4.1). */
export function readLoggedTag(data: Buffer, at: number): LoggedMessage {
  const start = at + flvTagHeaderBytes;
  const payloadEnd = start + data.readUIntBE(at + 1, 3);
  return {
    type: data[at]!,
    timestampMs: ((data[at + 7]! << 24) | data.readUIntBE(at + 4, 3)) >>> 0,
    payload: data.subarray(start, payloadEnd),
    end: payloadEnd + flvTagSizeBytes,
  };
}

/** Messages up to this size are copied, so that several are one write; of larger ones only the header is. */
const copiedBytes = 4096;

/**
 * Writes messages of a log with another message stream id: for the few outlets that have an unusual one, so that no
 * peer's choice makes another copy of a stream. What waits in a socket afterwards is a view of the log still, but for
 * headers and small messages.
 * @param lead bytes at the beginning that are the rest of a message
 * @param goesOn the last message is not whole
 * @returns what the last `write` said
 */
export function writeRenumbered(
  data: Buffer,
  lead: number,
  goesOn: boolean,
  { chunkBytes, streamId }: StreamFormat,
  sink: Pick<OutletSink, 'write'>,
): boolean {
  let more = lead === 0 || sink.write(data.subarray(0, lead), goesOn && lead === data.length);
  /** Where the messages begin that go out as one copy. */
  let from = lead;
  const flush = (to: number, isInMessage: boolean): void => {
    if (to === from) return;
    const copy = Buffer.from(data.subarray(from, to));
    for (let at = 0; at < copy.length; at = endOf(data, from + at, chunkBytes) - from) {
      copy.writeUInt32LE(streamId >>> 0, at + streamIdAt); // a target may have named any number
    }
    more = sink.write(copy, isInMessage);
  };
  for (let at = lead; at < data.length; ) {
    const end = Math.min(endOf(data, at, chunkBytes), data.length);
    if (end - at > copiedBytes) {
      flush(at + headerBytes, true);
      more = sink.write(data.subarray(at + headerBytes, end), goesOn && end === data.length);
      from = end;
    }
    at = end;
  }
  flush(data.length, goesOn);
  return more;
}

/** The timestamp of the first tag of sound or picture in a stretch of whole tags; undefined where there is none. */
export function firstTimestamp(data: Buffer): number | undefined {
  for (let at = 0; at < data.length; ) {
    const { type, timestampMs, end } = readLoggedTag(data, at);
    if (type !== MessageType.DataAmf0) return timestampMs;
    at = end;
  }
  return undefined;
}

/**
 * Writes a stretch of whole FLV tags with timestamps that begin at `baseMs`; those before it become 0. Of large tags only the
 * header is copied.
 * @returns what the last `write` said
 */
export function writeShiftedTags(data: Buffer, baseMs: number, write: (data: Buffer) => boolean): boolean {
  let more = true;
  let from = 0;
  const flush = (to: number): void => {
    if (to === from) return;
    const copy = Buffer.from(data.subarray(from, to));
    for (let at = 0; at < copy.length; ) {
      const start = from + at;
      const { type, timestampMs, end } = readLoggedTag(data, start);
      // On the circle of 32 bits. Metadata at 0 stays there.
      const isMetadata = type === MessageType.DataAmf0 && timestampMs === 0;
      const shifted = isMetadata ? 0 : Math.max(0, (timestampMs - baseMs) | 0);
      copy.writeUIntBE(shifted & 0xffffff, at + 4, 3);
      copy[at + 7] = shifted >>> 24;
      at = end - from;
    }
    more = write(copy);
  };
  for (let at = 0; at < data.length; ) {
    const { end } = readLoggedTag(data, at);
    if (end - at > copiedBytes) {
      flush(at + flvTagHeaderBytes);
      more = write(data.subarray(at + flvTagHeaderBytes, end));
      from = end;
    }
    at = end;
  }
  flush(data.length);
  return more;
}
