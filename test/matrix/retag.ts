import { readFileSync, writeFileSync } from 'node:fs';
import { exMessage, manyTracks, readEx } from '../support/enhanced.js';
import { readFlvTags } from '../support/flv-file.js';

/** A message of one track, whatever it was written as. */
export interface Part {
  readonly kind: 'video' | 'audio';
  readonly timestampMs: number;
  /** 0 SequenceStart, 1 CodedFrames, 2 SequenceEnd, 4 Metadata. */
  readonly packet: number;
  /** A FourCC. */
  readonly codec: string;
  readonly isKey: boolean;
  /** From decoding to showing; of H.264 and HEVC only. */
  readonly offsetMs: number;
  readonly track: number;
  readonly body: Buffer;
}

const fourCcs: Readonly<Record<string, string>> = { 'video 7': 'avc1', 'audio 10': 'mp4a', 'audio 2': '.mp3' };
const hasOffset = new Set(['avc1', 'hvc1']);

/** What FFmpeg 8 wrote, taken apart by the specification. */
export function partsOf(file: string): Part[] {
  return readFlvTags(file).flatMap(({ type, timestampMs, payload }): Part[] => {
    if (type !== 8 && type !== 9) return [];
    const kind = type === 9 ? 'video' : 'audio';
    const [first = 0] = payload;
    if (kind === 'video' ? first >= 0x80 : first >> 4 === 9) {
      const { track, packet, codec, isKey, body } = readEx(payload);
      const isTimed = packet === 1 && kind === 'video' && hasOffset.has(codec);
      const offsetMs = isTimed ? body.readIntBE(0, 3) : 0;
      const kept = isTimed ? body.subarray(3) : body;
      return [{ kind, timestampMs, packet: packet === 3 ? 1 : packet, codec, isKey, offsetMs, track, body: kept }];
    }
    const codec = fourCcs[`${kind} ${kind === 'video' ? first & 15 : first >> 4}`];
    if (codec === undefined) throw new Error(`${file} has an unexpected message: ${payload.toString('hex', 0, 8)}`);
    const base = { kind, timestampMs, codec, track: 0 } as const;
    if (kind === 'audio') {
      const isAac = codec === 'mp4a';
      const body = payload.subarray(isAac ? 2 : 1);
      return [{ ...base, packet: isAac && payload[1] === 0 ? 0 : 1, isKey: true, offsetMs: 0, body }];
    }
    const offsetMs = payload.readIntBE(2, 3);
    return [{ ...base, packet: payload.readUInt8(1), isKey: first >> 4 === 1, offsetMs, body: payload.subarray(5) }];
  });
}

/** By its FourCC. @param track undefined: not wrapped */
export function extended(part: Part, track?: number, withoutOffset = false): Buffer {
  const { kind, packet, codec, isKey, offsetMs, body } = part;
  const isTimed = packet === 1 && kind === 'video' && hasOffset.has(codec);
  const isShort = isTimed && withoutOffset && offsetMs === 0;
  return exMessage({
    ...{ kind, packet: isShort ? 3 : packet, codec },
    body: isTimed && !isShort ? Buffer.concat([int24(offsetMs), body]) : body,
    ...(kind === 'video' ? { isKey } : {}),
    ...(track === undefined ? {} : { track }),
  });
}

/** By number, as FLV had it. */
export function classic(part: Part, id: number): Buffer {
  const { kind, packet, isKey, offsetMs, body } = part;
  if (kind === 'audio') return Buffer.concat([Buffer.from(id === 10 ? [0xaf, packet] : [(id << 4) | 0xf]), body]);
  return Buffer.concat([Buffer.from([((isKey ? 1 : 2) << 4) | id, packet]), int24(offsetMs), body]);
}

/** Parts of the same kind, type and time in one message each. */
export function together(parts: readonly Part[]): { part: Part; payload: Buffer }[] {
  const groups = new Map<string, Part[]>();
  for (const part of parts) {
    const key = [part.kind, part.packet, part.isKey, part.timestampMs].join();
    groups.set(key, [...(groups.get(key) ?? []), part]);
  }
  return [...groups.values()].map((group) => {
    const [part = parts[0] as Part] = group;
    const tracks = group.map((each) => ({ id: each.track, codec: each.codec, body: extended(each).subarray(5) }));
    const { kind, packet, isKey } = part;
    return { part, payload: manyTracks({ kind, packet, ...(kind === 'video' ? { isKey } : {}) }, tracks) };
  });
}

/** FLV with the metadata of `like`, and these messages in the order of their times. */
export function writeFlv(file: string, like: string, messages: readonly { part: Part; payload: Buffer }[]): void {
  const tags: Buffer[] = [readFileSync(like).subarray(0, 13)];
  for (const tag of readFlvTags(like)) if (tag.type === 18) tags.push(tagOf(18, 0, tag.payload));
  const sorted = [...messages].sort((a, b) => a.part.timestampMs - b.part.timestampMs);
  for (const { part, payload } of sorted) tags.push(tagOf(part.kind === 'video' ? 9 : 8, part.timestampMs, payload));
  writeFileSync(file, Buffer.concat(tags));
}

/** One tag, and the size behind it. */
export function tagOf(type: number, timestampMs: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(11);
  head[0] = type;
  head.writeUIntBE(payload.length, 1, 3);
  head.writeUIntBE(timestampMs & 0xffffff, 4, 3);
  head[7] = timestampMs >>> 24;
  const size = Buffer.alloc(4);
  size.writeUInt32BE(11 + payload.length);
  return Buffer.concat([head, payload, size]);
}

function int24(value: number): Buffer {
  return Buffer.from([(value >> 16) & 255, (value >> 8) & 255, value & 255]);
}
