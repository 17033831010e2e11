/**
 * A reader that takes nothing but what the specifications say, for what leaves this program. It is written from them (RTMP
 * 1.0, AMF0, Adobe Flash Video File Format 10.1 E.4, Enhanced RTMP v2) and shares no code with src/, so that a mistake that
 * reader and writer share would show. It is as strict as the strictest server of the field, gortmplib, where that is
 * stricter: AMF0 values that this one does not read are refused too.
 */

export interface StrictMessage {
  readonly type: number;
  readonly timestampMs: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

class StrictReadError extends Error {}

function refuse(text: string): never {
  throw new StrictReadError(text);
}

interface ChunkStream {
  timestamp: number;
  delta: number;
  length: number;
  type: number;
  streamId: number;
  extended: boolean;
  parts: Buffer[];
  have: number;
}

/** Reads a chunk stream (RTMP 1.0, 5.3) from its first byte on. @throws StrictReadError */
export function strictChunks(bytes: Buffer, chunkSize: number): StrictMessage[] {
  const streams = new Map<number, ChunkStream>();
  const messages: StrictMessage[] = [];
  let size = chunkSize;
  let at = 0;
  const take = (count: number): Buffer => {
    if (at + count > bytes.length) refuse(`byte ${at}: ${count} bytes are needed and ${bytes.length - at} are left`);
    at += count;
    return bytes.subarray(at - count, at);
  };
  while (at < bytes.length) {
    const [first = 0] = take(1);
    const format = first >> 6;
    let csid = first & 63;
    if (csid === 0) csid = 64 + (take(1)[0] ?? 0);
    else if (csid === 1) csid = 64 + take(2).readUInt16LE();
    let stream = streams.get(csid);
    if (stream === undefined) {
      if (format !== 0) refuse(`chunk stream ${csid} begins with format ${format}`);
      stream = { timestamp: 0, delta: 0, length: 0, type: 0, streamId: 0, extended: false, parts: [], have: 0 };
      streams.set(csid, stream);
    }
    const begins = stream.have === 0;
    if (!begins && format !== 3) refuse(`format ${format} in the middle of a message on chunk stream ${csid}`);
    if (format < 3) {
      const time = take(3).readUIntBE(0, 3);
      if (format < 2) {
        stream.length = take(3).readUIntBE(0, 3);
        stream.type = take(1)[0] ?? 0;
      }
      if (format === 0) stream.streamId = take(4).readUInt32LE();
      stream.extended = time === 0xffffff;
      const value = stream.extended ? take(4).readUInt32BE() : time;
      if (stream.extended && value < 0xffffff) refuse('an extended timestamp that needs none');
      if (format === 0) stream.timestamp = value;
      else stream.delta = value;
      if (format !== 0) stream.timestamp = (stream.timestamp + value) % 2 ** 32;
    } else {
      if (stream.extended) {
        const value = take(4).readUInt32BE();
        if (!begins && value !== stream.timestamp) refuse('a continuation repeats another extended timestamp');
      }
      if (begins) stream.timestamp = (stream.timestamp + stream.delta) % 2 ** 32;
    }
    const part = take(Math.min(size, stream.length - stream.have));
    stream.parts.push(part);
    stream.have += part.length;
    if (stream.have < stream.length) continue;
    const payload = Buffer.concat(stream.parts);
    stream.parts = [];
    stream.have = 0;
    if (stream.type === 1) {
      if (payload.length !== 4 || payload.readUInt32BE() < 1 || payload.readUInt32BE() > 0xffffff)
        refuse('a chunk size');
      size = payload.readUInt32BE();
      continue;
    }
    messages.push({ type: stream.type, timestampMs: stream.timestamp, streamId: stream.streamId, payload });
  }
  for (const [csid, { have }] of streams) if (have > 0) refuse(`chunk stream ${csid} ends inside a message`);
  return messages;
}

/** Reads an FLV file (E.2 to E.4), every size field checked. @throws StrictReadError */
export function strictFlv(bytes: Buffer): StrictMessage[] {
  if (bytes.length === 0) return [];
  if (bytes.toString('latin1', 0, 4) !== 'FLV\u0001') refuse('no FLV header');
  if (((bytes[4] ?? 0) & 0xfa) !== 0 || bytes.readUInt32BE(5) !== 9 || bytes.readUInt32BE(9) !== 0)
    refuse('FLV header');
  const messages: StrictMessage[] = [];
  let at = 13;
  while (at < bytes.length) {
    if (at + 11 > bytes.length) refuse('a tag header is cut short');
    const type = bytes[at] ?? 0;
    const length = bytes.readUIntBE(at + 1, 3);
    const timestampMs = bytes.readUIntBE(at + 4, 3) + (bytes[at + 7] ?? 0) * 2 ** 24;
    if (bytes.readUIntBE(at + 8, 3) !== 0) refuse('the stream id of a tag is not 0');
    const end = at + 11 + length;
    if (end + 4 > bytes.length) refuse('a tag is cut short');
    if (bytes.readUInt32BE(end) !== 11 + length) refuse('PreviousTagSize is wrong');
    messages.push({ type, timestampMs, streamId: 0, payload: bytes.subarray(at + 11, end) });
    at = end + 4;
  }
  return messages;
}

/** Reads what a message of a stream holds, as far as a server looks. @throws StrictReadError */
export function strictMedia({ type, payload }: StrictMessage): void {
  if (type === 8) strictAudio(payload);
  else if (type === 9) strictVideo(payload);
  else if (type === 18) strictData(payload);
  else refuse(`a message of type ${type}`);
}

const fourCcs = /^[ -~]{4}$/;

function strictVideo(payload: Buffer): void {
  if (payload.length < 2) refuse(`video of ${payload.length} bytes`);
  const [first = 0, second = 0] = payload;
  if (first & 0x80) {
    strictExtended(payload, (first >> 4) & 7, 'video');
    return;
  }
  const frameType = first >> 4;
  const codec = first & 15;
  if (frameType < 1 || frameType > 4) refuse(`video frame type ${frameType}`);
  if (![1, 2, 3, 4, 5, 6, 7, 12, 13, 14].includes(codec)) refuse(`video codec ${codec}`);
  if (![7, 12, 13, 14].includes(codec)) return;
  if (second > 2) refuse(`AVC packet type ${second}`);
  if (payload.length < 5) refuse('an AVC header that is cut short');
  if (second !== 2 && payload.length < 6) refuse('an AVC packet without data');
}

function strictAudio(payload: Buffer): void {
  if (payload.length < 2) refuse(`audio of ${payload.length} bytes`);
  const [first = 0, second = 0] = payload;
  const format = first >> 4;
  if (format === 9) strictExtended(payload, 1, 'audio');
  else if (format === 12) refuse(`sound format ${format}`);
  else if (format === 10 && (second > 1 || payload.length < 3)) refuse('an AAC packet');
}

/** `ExVideoTagHeader` and `ExAudioTagHeader` of Enhanced RTMP v2. */
function strictExtended(payload: Buffer, frameType: number, kind: 'video' | 'audio'): void {
  const multitrack = kind === 'video' ? 6 : 5;
  let at = 1;
  const byte = (): number => payload[at++] ?? refuse(`an extended ${kind} header that is cut short`);
  let packet = (payload[0] ?? 0) & 15;
  while (packet === 7) {
    let bytes = byte() + 1;
    if (bytes === 256) bytes = byte() * 256 + byte() + 1;
    at += bytes;
    packet = byte() & 15;
  }
  if (frameType < 1 || frameType > 5) if (!(kind === 'video' && packet === 4)) refuse(`frame type ${frameType}`);
  if (frameType === 5 && packet !== 4) refuse('a video command');
  let tracks = -1;
  if (packet === multitrack) {
    const value = byte();
    tracks = value >> 4;
    packet = value & 15;
    if (tracks > 2 || packet === multitrack) refuse('multitrack');
  }
  const fourCc = (): string => {
    const text = payload.toString('latin1', at, at + 4);
    at += 4;
    if (at > payload.length || !fourCcs.test(text)) refuse('a FourCC');
    return text;
  };
  const known = kind === 'video' ? packet <= 5 : [0, 1, 2, 4].includes(packet);
  if (!known) refuse(`${kind} packet type ${packet}`);
  const body = (codec: string, data: Buffer): void => {
    if (kind === 'video') {
      if (packet === 4) for (let from = 0; from < data.length || from === 0; ) from = strictAmf0(data, from, 0);
      else if (packet === 1 && ['avc1', 'hvc1', 'vvc1'].includes(codec) && data.length < 4)
        refuse('no composition time');
      else if (packet !== 2 && data.length === 0) refuse('no data');
    } else if ((packet === 1 && data.length === 0) || (packet === 4 && data.length < 2)) refuse('no audio data');
  };
  let codec = tracks === 2 ? '' : fourCc();
  if (tracks <= 0) {
    if (tracks === 0) byte();
    body(codec, payload.subarray(at));
    return;
  }
  do {
    if (tracks === 2) codec = fourCc();
    byte();
    const length = byte() * 65_536 + byte() * 256 + byte();
    if (at + length > payload.length) refuse('a track that is cut short');
    body(codec, payload.subarray(at, at + length));
    at += length;
  } while (at < payload.length);
}

/** A data message: its name, and values. What is set has a value, and metadata has properties: servers look into it. */
function strictData(payload: Buffer): void {
  if (payload[0] !== 2) refuse('a data message that does not begin with a name');
  const values: Buffer[] = [];
  for (let at = 0; at < payload.length; ) {
    const end = strictAmf0(payload, at, 0);
    values.push(payload.subarray(at, end));
    at = end;
  }
  const nameOf = (value: Buffer | undefined): string => (value?.[0] === 2 ? value.toString('utf8', 3) : '');
  const isSet = nameOf(values[0]) === '@setDataFrame';
  const [name, value] = isSet ? values.slice(1) : values;
  if (isSet && (nameOf(name) === '' || value === undefined || value[0] === 6)) refuse('@setDataFrame without a value');
  if (nameOf(name) === 'onMetaData' && value?.[0] !== 3 && value?.[0] !== 8) refuse('metadata without properties');
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Reads one AMF0 value; returns where it ends. */
function strictAmf0(data: Buffer, from: number, depth: number): number {
  let at = from;
  if (depth > 64) refuse('nested too deep');
  const take = (count: number): Buffer => {
    if (at + count > data.length) refuse(`AMF0 at byte ${at}: ${count} bytes are needed, ${data.length - at} are left`);
    at += count;
    return data.subarray(at - count, at);
  };
  const text = (): string => {
    const bytes = take(take(2).readUInt16BE());
    try {
      return utf8.decode(bytes);
    } catch {
      return refuse('text that is no UTF-8');
    }
  };
  const properties = (): void => {
    for (;;) {
      if (text() === '') {
        if (take(1)[0] !== 9) refuse('an empty key without the end of the object');
        return;
      }
      at = strictAmf0(data, at, depth + 1);
    }
  };
  const marker = take(1)[0] ?? 0;
  if (marker === 0) take(8);
  else if (marker === 1) take(1);
  else if (marker === 2) text();
  else if (marker === 3) properties();
  else if (marker === 8) {
    take(4);
    properties();
  } else if (marker === 10) {
    for (let left = take(4).readUInt32BE(); left > 0; left--) at = strictAmf0(data, at, depth + 1);
  } else if (marker !== 5 && marker !== 6) refuse(`AMF0 marker ${marker}`);
  return at;
}
