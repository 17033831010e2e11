import { CodedError } from '../errors.js';
import { FlvTagType, fileHeaderBytes, sizeFieldBytes, tagHeaderBytes } from './flv-file.js';

export interface FlvLimits {
  /** The largest payload of a tag, in bytes; the format allows 16,777,215. */
  maxTagBytes: number;
}

const defaultFlvLimits: Readonly<FlvLimits> = { maxTagBytes: 0xffffff };

/** What a file had that is no tag of audio, video or script data. */
export interface FlvLeftOut {
  /** Bytes between tags, or behind the last, that are none. */
  junkBytes: number;
  /** Whole tags of a type that the format does not have. */
  unknownTags: number;
  encryptedTags: number;
  /** Bytes of a tag that the end of the file cuts off. */
  cutBytes: number;
  /** File headers after the first: files were joined. */
  joins: number;
}

/** A longer file header than this is no header of our time. */
const maxFileHeaderBytes = 1024;
const lastVersion = 4;
/** The filter bit of the type: the payload is encrypted (E.4.1). */
const encrypted = 0x20;

/** What more is to be had of what is fed, before anything can be said. */
class Wait {
  readonly bytes: number;

  constructor(bytes: number) {
    this.bytes = bytes;
  }
}

/**
 * Takes an FLV file in pieces of any size and hands out its tags (Adobe Flash Video File Format 10.1, E.2 to E.4), as much
 * as other readers find in it. Recorders are killed, disks write zeros, files are joined end to end, and writers differ in
 * the size behind each tag; so a tag counts when that size is right, or when another header follows where it must. Where
 * there is no tag, the next one is looked for whose size is right, as ffmpeg does it (`resync` in libavformat/flvdec.c).
 *
 *   header -> in step: tag, tag, tag -- no tag here --> searching --a tag whose size is right--> in step
 */
export class FlvTagReader {
  readonly leftOut: Readonly<FlvLeftOut>;
  readonly #leftOut: FlvLeftOut = { junkBytes: 0, unknownTags: 0, encryptedTags: 0, cutBytes: 0, joins: 0 };
  readonly #onTag: (type: number, timestampMs: number, payload: Buffer) => void;
  readonly #limits: Readonly<FlvLimits>;
  readonly #takesAmf3: boolean;
  #pieces: Buffer[] = [];
  #bytes = 0;
  #neededBytes = 0;
  #begun = false;
  #inStep = true;
  #failed = false;

  /**
   * @param onTag `timestampMs` is an unsigned 32-bit number. `payload` is a view into the fed data, or into a copy: it
   *   stays valid as long as the fed data does.
   * @param takesAmf3 data of type 15 comes as type 18, without the byte in front, as in RTMP
   */
  constructor(
    onTag: (type: number, timestampMs: number, payload: Buffer) => void,
    limits: Readonly<FlvLimits> = defaultFlvLimits,
    takesAmf3 = false,
  ) {
    this.#takesAmf3 = takesAmf3;
    this.#onTag = onTag;
    this.#limits = limits;
    this.leftOut = this.#leftOut;
  }

  /** Bytes that were fed and about which nothing can be said yet. */
  get pendingBytes(): number {
    return this.#bytes;
  }

  /**
   * Reads on.
   * @throws CodedError FLV_INVALID when the data is no FLV file; also what the callback throws. The reader is dead then.
   */
  feed(data: Buffer): void {
    if (this.#failed)
      throw new CodedError('FLV_INVALID', 'Reading this FLV file has failed before; nothing more is read.');
    if (data.length === 0) return;
    this.#pieces.push(data);
    this.#bytes += data.length;
    if (this.#bytes >= this.#neededBytes) this.#read(false);
  }

  /** The file ends here: what waits for more is judged by itself. @throws CodedError as `feed` */
  finish(): void {
    if (!this.#failed && this.#bytes > 0) this.#read(true);
  }

  #read(isEnd: boolean): void {
    const data = this.#pieces.length === 1 ? (this.#pieces[0] as Buffer) : Buffer.concat(this.#pieces);
    this.#failed = true;
    const at = this.#parse(data, isEnd);
    this.#failed = false;
    this.#pieces = at < data.length ? [data.subarray(at)] : [];
    this.#bytes = data.length - at;
    // What is kept is copied when more comes: it then grows by a part of itself, not by every little piece.
    this.#neededBytes = Math.max(this.#neededBytes, this.#bytes + (this.#bytes >>> 2));
  }

  /** Returns what was used of the data. */
  #parse(data: Buffer, isEnd: boolean): number {
    let at = 0;
    /** Where a tag begins that may be cut off by the end of the file, and the junk before it. */
    let cut: { readonly at: number; readonly junkBytes: number } | null = null;
    this.#neededBytes = 0;
    while (at < data.length) {
      const next = this.#begun ? this.#tagAt(data, at, isEnd) : this.#fileHeaderAt(data, at, isEnd);
      if (next instanceof Wait) {
        if (!isEnd) {
          this.#neededBytes = next.bytes;
          return at;
        }
        if (this.#inStep && isKnownType(data[at]!)) cut = { at, junkBytes: this.#leftOut.junkBytes };
      } else if (next >= 0) {
        at = next;
        this.#inStep = true;
        cut = null;
        continue;
      }
      const found = nextCandidate(data, at + 1);
      this.#leftOut.junkBytes += found - at;
      this.#inStep = false;
      at = found;
    }
    if (cut !== null) {
      this.#leftOut.junkBytes = cut.junkBytes;
      this.#leftOut.cutBytes += data.length - cut.at;
    }
    return at;
  }

  #fileHeaderAt(data: Buffer, at: number, isEnd: boolean): number | Wait {
    if (data.length - at < fileHeaderBytes && !isEnd) return new Wait(fileHeaderBytes);
    if (!isFileHeader(data, at)) {
      if (this.#begun) return -1;
      const shown = data.toString('hex', 0, Math.min(4, data.length));
      throw new CodedError('FLV_INVALID', `The file begins with the bytes ${shown}; an FLV file begins with "FLV".`);
    }
    const offset = data.readUInt32BE(at + 5);
    const isUsual = offset >= fileHeaderBytes && offset <= maxFileHeaderBytes;
    const declared = at + (isUsual ? offset : fileHeaderBytes) + sizeFieldBytes;
    if (declared + tagHeaderBytes > data.length && !isEnd) return new Wait(declared + tagHeaderBytes - at);
    if (this.#begun) this.#leftOut.joins++;
    this.#begun = true;
    const usual = at + fileHeaderBytes + sizeFieldBytes;
    // Writers exist that count the header wrongly.
    return Math.min(isPlausible(data, declared) || !isPlausible(data, usual) ? declared : usual, data.length);
  }

  /** Where the tag at `at` ends, its size included, when there is one; -1 when there is none. */
  #tagAt(data: Buffer, at: number, isEnd: boolean): number | Wait {
    if (data[at] === 0x46) return this.#fileHeaderAt(data, at, isEnd);
    if (at + tagHeaderBytes > data.length) return new Wait(tagHeaderBytes);
    const type = data[at]!;
    const isKnown = isKnownType(type);
    const length = data.readUIntBE(at + 1, 3);
    if (length > this.#limits.maxTagBytes || (!this.#inStep && !(isKnown && hasNoStreamId(data, at)))) return -1;
    const end = at + tagHeaderBytes + length;
    const next = end + sizeFieldBytes;
    if (next > data.length) {
      if (!isEnd || end > data.length) return new Wait(next - at);
      if (isKnown) this.#emit(data, at, end);
      return isKnown ? data.length : -1;
    }
    if (data.readUInt32BE(end) !== tagHeaderBytes + length) {
      if (!this.#inStep || !isKnown) return -1;
      if (next + tagHeaderBytes > data.length && !isEnd) return new Wait(next + tagHeaderBytes - at);
      if (next < data.length && !isPlausible(data, next)) return -1;
    }
    if (isKnown) this.#emit(data, at, end);
    else if (type === FlvTagType.ScriptAmf3 && this.#takesAmf3) this.#emit(data, at, end);
    else if ((type & encrypted) !== 0 && isKnownType(type & ~encrypted)) this.#leftOut.encryptedTags++;
    else this.#leftOut.unknownTags++;
    return next;
  }

  #emit(data: Buffer, at: number, end: number): void {
    // The fourth byte holds bits 24 to 31 (E.4.1).
    const timestampMs = (data.readUIntBE(at + 4, 3) | (data[at + 7]! << 24)) >>> 0;
    const start = at + tagHeaderBytes;
    if (data[at] !== FlvTagType.ScriptAmf3) this.#onTag(data[at]!, timestampMs, data.subarray(start, end));
    else this.#onTag(FlvTagType.Script, timestampMs, data.subarray(Math.min(start + 1, end), end));
  }
}

function isKnownType(type: number): boolean {
  return type === FlvTagType.Audio || type === FlvTagType.Video || type === FlvTagType.Script;
}

function hasNoStreamId(data: Buffer, at: number): boolean {
  return data[at + 8] === 0 && data[at + 9] === 0 && data[at + 10] === 0;
}

/** Whether a tag or a file may begin here. */
function isPlausible(data: Buffer, at: number): boolean {
  if (at + tagHeaderBytes > data.length) return isFileHeader(data, at);
  return (isKnownType(data[at]! & ~encrypted) && hasNoStreamId(data, at)) || isFileHeader(data, at);
}

function isFileHeader(data: Buffer, at: number): boolean {
  if (at + fileHeaderBytes > data.length || data.toString('latin1', at, at + 3) !== 'FLV') return false;
  return data[at + 3]! >= 1 && data[at + 3]! <= lastVersion;
}

/** The next byte with which a tag of a known type, or a file, could begin. */
function nextCandidate(data: Buffer, from: number): number {
  let at = from;
  while (at < data.length && !isKnownType(data[at]!) && data[at] !== 0x46) at++;
  return at;
}
