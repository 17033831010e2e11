/** A tag of FLV: 8 audio, 9 video, 18 data (Adobe Flash Video File Format 10.1, E.4.1). */
export interface FlvTag {
  readonly type: number;
  /** On the circle of 32 bits. */
  readonly timestampMs: number;
  readonly payload: Uint8Array;
}

const fileHeaderBytes = 9;
const tagHeaderBytes = 11;
/** The size of the tag before, which nobody needs. */
const backPointerBytes = 4;

/** More than any picture needs; a server that says so is none of ours. */
const maxTagBytes = 12 * 1024 * 1024;

/** Takes FLV in pieces of any size, and gives back whole tags. */
export class FlvReader {
  #pieces: Uint8Array[] = [];
  #bytes = 0;
  #isPastHeader = false;

  /** @throws Error for what is no FLV */
  feed(piece: Uint8Array): FlvTag[] {
    this.#pieces.push(piece);
    this.#bytes += piece.length;
    const tags: FlvTag[] = [];
    if (!this.#isPastHeader) {
      if (this.#bytes < fileHeaderBytes + backPointerBytes) return tags;
      const header = this.#take(fileHeaderBytes + backPointerBytes);
      if (header[0] !== 0x46 || header[1] !== 0x4c || header[2] !== 0x56) throw new Error('what arrived is not FLV');
      this.#isPastHeader = true;
    }
    while (this.#bytes >= tagHeaderBytes) {
      const data = this.#joined();
      const size = ((data[1] ?? 0) << 16) | ((data[2] ?? 0) << 8) | (data[3] ?? 0);
      if (size > maxTagBytes) throw new Error(`a frame of ${size} bytes came, the most is ${maxTagBytes}`);
      if (this.#bytes < tagHeaderBytes + size + backPointerBytes) return tags;
      const tag = this.#take(tagHeaderBytes + size + backPointerBytes);
      const time = new DataView(tag.buffer, tag.byteOffset + 4, 4);
      tags.push({
        type: (tag[0] ?? 0) & 0x1f,
        timestampMs: ((time.getUint32(0) >>> 8) | (time.getUint8(3) << 24)) >>> 0,
        payload: tag.subarray(tagHeaderBytes, tagHeaderBytes + size),
      });
    }
    return tags;
  }

  /** Takes the next bytes, of which there are enough. */
  #take(count: number): Uint8Array {
    const data = this.#joined();
    this.#pieces = count === data.length ? [] : [data.subarray(count)];
    this.#bytes -= count;
    return data.subarray(0, count);
  }

  /** The pieces as one. A large frame comes in many: they are joined once the frame is there. */
  #joined(): Uint8Array {
    const [first] = this.#pieces;
    if (first !== undefined && this.#pieces.length === 1) return first;
    const data = new Uint8Array(this.#bytes);
    let at = 0;
    for (const piece of this.#pieces) {
      data.set(piece, at);
      at += piece.length;
    }
    this.#pieces = [data];
    return data;
  }
}
