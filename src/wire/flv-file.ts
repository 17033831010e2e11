/** Tag types (E.4.1): those of RTMP messages. */
/** `ScriptAmf3` is RTMP's type 15, which recorders write that keep messages as they came. */
export const FlvTagType = { Audio: 8, Video: 9, ScriptAmf3: 15, Script: 18 } as const;

/** Bytes of a file header, and of the header of a tag; the size of the tag before takes four more. */
export const fileHeaderBytes = 9;
export const tagHeaderBytes = 11;
export const sizeFieldBytes = 4;
const flagAudio = 0x04;
const flagVideo = 0x01;

/** The beginning of an FLV file, up to the first tag. */
export function flvFileHeader(hasAudio: boolean, hasVideo: boolean): Buffer {
  const header = Buffer.alloc(fileHeaderBytes + sizeFieldBytes);
  header.write('FLV', 'latin1');
  header[3] = 1;
  header[4] = (hasAudio ? flagAudio : 0) | (hasVideo ? flagVideo : 0);
  header.writeUInt32BE(fileHeaderBytes, 5);
  return header;
}

/** Bytes of a tag with the size field that follows it. */
export function flvTagLength(payloadBytes: number): number {
  return tagHeaderBytes + payloadBytes + sizeFieldBytes;
}

/**
 * Writes one tag, with the size field that follows it, to `target`, which has room for it. Returns where it ends.
 *
 * @param timestampMs an unsigned 32-bit number
 * @throws RangeError when the payload has more than 16,777,215 bytes
 */
export function writeFlvTag(
  target: Buffer,
  offset: number,
  type: number,
  timestampMs: number,
  payload: Buffer,
): number {
  target.writeUInt8(type, offset);
  target.writeUIntBE(payload.length, offset + 1, 3);
  target.writeUIntBE(timestampMs & 0xffffff, offset + 4, 3);
  target.writeUInt8(timestampMs >>> 24, offset + 7);
  target.writeUIntBE(0, offset + 8, 3);
  payload.copy(target, offset + tagHeaderBytes);
  return target.writeUInt32BE(tagHeaderBytes + payload.length, offset + tagHeaderBytes + payload.length);
}

/** One tag as `writeFlvTag` writes it, in a buffer of its own. @throws RangeError as it does */
export function encodeFlvTag(type: number, timestampMs: number, payload: Buffer): Buffer {
  const tag = Buffer.allocUnsafe(flvTagLength(payload.length));
  writeFlvTag(tag, 0, type, timestampMs, payload);
  return tag;
}
