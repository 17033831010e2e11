import { CodedError } from '../errors.js';

export interface FlvLimits {
  /** The largest payload of a tag, in bytes; the format allows 16,777,215. */
  maxTagBytes: number;
}

export const defaultFlvLimits: Readonly<FlvLimits> = { maxTagBytes: 0xffffff };

/** Tag types (E.4.1): those of RTMP messages. */
export const FlvTagType = { Audio: 8, Video: 9, Script: 18 } as const;

const fileHeaderBytes = 9;
const tagHeaderBytes = 11;
const sizeFieldBytes = 4;
/** A longer file header than this is no header of our time. */
const maxFileHeaderBytes = 1024;
const flagAudio = 0x04;
const flagVideo = 0x01;
const firstPieceBytes = 64 << 10;

const Stage = { FileHeader: 0, Skip: 1, TagHeader: 2, Payload: 3, Dead: 4 } as const;

/**
 * Takes an FLV file in pieces of any size and hands out its tags (Adobe Flash Video File Format 10.1, E.2 to E.4).
 *
 * The size field behind each tag is not checked: writers differ in it. A file that ends inside a tag is common, since
 * recorders are killed; `pendingBytes` says so.
 */
export class FlvTagReader {
  readonly #onTag: (type: number, timestampMs: number, payload: Buffer) => void;
  readonly #limits: Readonly<FlvLimits>;
  #stage: (typeof Stage)[keyof typeof Stage] = Stage.FileHeader;
  readonly #header = Buffer.alloc(tagHeaderBytes);
  #have = 0;
  #skipBytes = 0;
  #type = 0;
  #timestampMs = 0;
  #length = 0;
  #payload: Buffer | null = null;
  /** Where in the file the next byte lies. */
  #position = 0;

  /**
   * @param onTag `timestampMs` is an unsigned 32-bit number. `payload` is a view into the fed data where the tag lies
   *   whole in it, else a buffer of its own: it stays valid as long as the fed data does.
   */
  constructor(
    onTag: (type: number, timestampMs: number, payload: Buffer) => void,
    limits: Readonly<FlvLimits> = defaultFlvLimits,
  ) {
    this.#onTag = onTag;
    this.#limits = limits;
  }

  /** Bytes of a tag that has begun and is not there in full; not 0 at the end of a file that was cut off. */
  get pendingBytes(): number {
    switch (this.#stage) {
      case Stage.Payload:
        return tagHeaderBytes + this.#have;
      case Stage.TagHeader:
      case Stage.FileHeader:
        return this.#have;
      default:
        return 0;
    }
  }

  /**
   * Reads on.
   *
   * @throws CodedError FLV_INVALID when the data is no FLV file or a tag is impossible or too large; also what the
   *   callback throws. The reader is dead then: every further call throws.
   */
  feed(data: Buffer): void {
    try {
      this.#parse(data);
    } catch (error) {
      this.#stage = Stage.Dead;
      throw error;
    }
  }

  #parse(data: Buffer): void {
    let at = 0;
    while (at < data.length) {
      const before = at;
      switch (this.#stage) {
        case Stage.FileHeader:
          at = this.#gather(data, at, fileHeaderBytes);
          if (this.#have === fileHeaderBytes) {
            this.#readFileHeader();
          }
          break;
        case Stage.Skip: {
          const bytes = Math.min(this.#skipBytes, data.length - at);
          at += bytes;
          this.#skipBytes -= bytes;
          if (this.#skipBytes === 0) {
            this.#have = 0;
            this.#stage = Stage.TagHeader;
          }
          break;
        }
        case Stage.TagHeader:
          at = this.#gather(data, at, tagHeaderBytes);
          if (this.#have === tagHeaderBytes) {
            this.#readTagHeader(this.#position + (at - before) - tagHeaderBytes);
          }
          break;
        case Stage.Payload:
          at = this.#readPayload(data, at);
          break;
        case Stage.Dead:
          throw new CodedError('FLV_INVALID', 'Reading this FLV file has failed before; nothing more is read.');
      }
      this.#position += at - before;
    }
  }

  #gather(data: Buffer, at: number, needed: number): number {
    const bytes = Math.min(needed - this.#have, data.length - at);
    data.copy(this.#header, this.#have, at, at + bytes);
    this.#have += bytes;
    return at + bytes;
  }

  #readFileHeader(): void {
    const header = this.#header;
    if (header.toString('latin1', 0, 3) !== 'FLV') {
      const shown = header.toString('hex', 0, 3);
      throw new CodedError('FLV_INVALID', `The file begins with the bytes ${shown}; an FLV file begins with "FLV".`);
    }
    if (header[3] !== 1) {
      throw new CodedError('FLV_INVALID', `The FLV file has version ${header[3]}; the only one is 1.`);
    }
    const offset = header.readUInt32BE(5);
    if (offset < fileHeaderBytes || offset > maxFileHeaderBytes) {
      throw new CodedError(
        'FLV_INVALID',
        `The header of the FLV file has ${offset} bytes; right is ${fileHeaderBytes}.`,
      );
    }
    this.#skipBytes = offset - fileHeaderBytes + sizeFieldBytes;
    this.#stage = Stage.Skip;
  }

  #readTagHeader(tagAt: number): void {
    const header = this.#header;
    this.#type = header[0]!;
    if (this.#type !== FlvTagType.Audio && this.#type !== FlvTagType.Video && this.#type !== FlvTagType.Script) {
      const reason =
        (this.#type & 0x20) === 0 ? 'audio has 8, video 9, script data 18' : 'encrypted tags cannot be read';
      throw new CodedError('FLV_INVALID', `The tag at byte ${tagAt} has type ${this.#type}; ${reason}.`);
    }
    this.#length = header.readUIntBE(1, 3);
    if (this.#length > this.#limits.maxTagBytes) {
      throw new CodedError(
        'FLV_INVALID',
        `The tag at byte ${tagAt} has ${this.#length} bytes; the limit is ${this.#limits.maxTagBytes}.`,
      );
    }
    // The fourth byte holds bits 24 to 31 (E.4.1).
    this.#timestampMs = (header.readUIntBE(4, 3) | (header[7]! << 24)) >>> 0;
    this.#have = 0;
    if (this.#length === 0) {
      this.#finishTag(Buffer.alloc(0));
    } else {
      this.#stage = Stage.Payload;
    }
  }

  #readPayload(data: Buffer, at: number): number {
    const end = Math.min(at + this.#length - this.#have, data.length);
    const bytes = end - at;
    if (bytes === this.#length) {
      this.#finishTag(data.subarray(at, end));
      return end;
    }
    const have = this.#have + bytes;
    // Grows with what has been read, not with what the tag declares.
    let payload = this.#payload ?? Buffer.allocUnsafeSlow(Math.min(this.#length, Math.max(firstPieceBytes, have)));
    if (have > payload.length) {
      const larger = Buffer.allocUnsafeSlow(Math.min(this.#length, Math.max(payload.length * 2, have)));
      payload.copy(larger, 0, 0, this.#have);
      payload = larger;
    }
    data.copy(payload, this.#have, at, end);
    this.#payload = payload;
    this.#have = have;
    if (have === this.#length) {
      this.#payload = null;
      this.#finishTag(payload);
    }
    return end;
  }

  #finishTag(payload: Buffer): void {
    this.#have = 0;
    this.#skipBytes = sizeFieldBytes;
    this.#stage = Stage.Skip;
    this.#onTag(this.#type, this.#timestampMs, payload);
  }
}

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
