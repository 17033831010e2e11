/*
 * Parameter sets of H.264 that come within the stream, before a key frame, as cameras send them when their picture changes.
 * FLV has them in the sequence header, which whoever copies a stream from RTSP writes once, at the beginning.
 */

const nalType = { sequenceSet: 7, pictureSet: 8 } as const;
const avcCodec = 7;
/** What stands before the AVCDecoderConfigurationRecord, and before the first unit of a frame: FLV's video tag header. */
const tagBytes = 5;
/** More sets than any camera has, and larger ones, are none of a camera. */
const maxSets = 31;
const maxSetBytes = 4096;

interface Sets {
  readonly sequence: readonly Buffer[];
  readonly picture: readonly Buffer[];
}

/** The parameter sets of a source as its header has them, kept up to date with what comes within the stream. */
export class AvcSets {
  /** Bytes of the length before each unit; 0: there was no header that can be read. */
  #lengthBytes = 0;
  #sets: Sets = { sequence: [], picture: [] };

  /**
   * Looks at a video message of FLV.
   * @returns the sequence header that has to go before it, since its own sets are others than those of the last header; or null
   */
  headerBefore(payload: Buffer): Buffer | null {
    if (((payload[0] ?? 0) & 0x0f) !== avcCodec || payload.length <= tagBytes) return null;
    if (payload[1] === 0) {
      this.#readHeader(payload);
      return null;
    }
    const isKeyFrame = (payload[0] ?? 0) >> 4 === 1 && payload[1] === 1;
    if (!isKeyFrame || this.#lengthBytes === 0) return null;
    const found = setsIn(payload, this.#lengthBytes);
    if (found === null || found.sequence.length === 0 || found.picture.length === 0) return null;
    if (isSame(found.sequence, this.#sets.sequence) && isSame(found.picture, this.#sets.picture)) return null;
    // Frames are views of what is read next.
    this.#sets = { sequence: found.sequence.map(copy), picture: found.picture.map(copy) };
    return headerOf(this.#sets, this.#lengthBytes);
  }

  /** ISO/IEC 14496-15, 5.3.3.1. */
  #readHeader(payload: Buffer): void {
    this.#lengthBytes = 0;
    if (payload.length < tagBytes + 7) return;
    const lengthBytes = (payload[tagBytes + 4]! & 0x03) + 1;
    const sequence: Buffer[] = [];
    const picture: Buffer[] = [];
    let at = tagBytes + 5;
    for (const list of [sequence, picture]) {
      const count = (payload[at] ?? 0) & (list === sequence ? 0x1f : 0xff);
      at++;
      for (let index = 0; index < count; index++) {
        if (at + 2 > payload.length) return;
        const end = at + 2 + payload.readUInt16BE(at);
        if (end > payload.length || index >= maxSets) return;
        list.push(copy(payload.subarray(at + 2, end)));
        at = end;
      }
    }
    this.#lengthBytes = lengthBytes;
    this.#sets = { sequence, picture };
  }
}

/** Those among the units of a frame; null for a frame that is no sequence of units. */
function setsIn(payload: Buffer, lengthBytes: number): Sets | null {
  const sequence: Buffer[] = [];
  const picture: Buffer[] = [];
  let at = tagBytes;
  while (at + lengthBytes < payload.length) {
    const start = at + lengthBytes;
    const end = start + payload.readUIntBE(at, lengthBytes);
    if (end > payload.length || end === start) return null;
    const type = payload[start]! & 0x1f;
    if (type === nalType.sequenceSet || type === nalType.pictureSet) {
      const list = type === nalType.sequenceSet ? sequence : picture;
      const unit = payload.subarray(start, end);
      if (unit.length < 4 || unit.length > maxSetBytes || list.length >= maxSets) return null;
      if (!list.some((each) => each.equals(unit))) list.push(unit);
    }
    at = end;
  }
  return { sequence, picture };
}

function headerOf({ sequence, picture }: Sets, lengthBytes: number): Buffer {
  const [first] = sequence;
  const lengths = (sets: readonly Buffer[]): Buffer[] =>
    sets.flatMap((set) => {
      const length = Buffer.alloc(2);
      length.writeUInt16BE(set.length);
      return [length, set];
    });
  return Buffer.concat([
    Buffer.from([0x17, 0, 0, 0, 0, 1]),
    first!.subarray(1, 4), // profile, compatibility, level
    Buffer.from([0xfc | (lengthBytes - 1), 0xe0 | sequence.length]),
    ...lengths(sequence),
    Buffer.from([picture.length]),
    ...lengths(picture),
  ]);
}

function isSame(some: readonly Buffer[], others: readonly Buffer[]): boolean {
  return some.length === others.length && some.every((each, index) => each.equals(others[index]!));
}

function copy(data: Buffer): Buffer {
  return Buffer.from(data);
}
