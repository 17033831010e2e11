import { Finding } from './input.js';

interface Header {
  length: number;
  type: number;
  extended: boolean;
  field: number;
}

/**
 * Reads what we send, strictly, and independently of the code under test: one message after the other, never interleaved;
 * a full header first; the extended timestamp repeated; nothing but message types that we mean to send.
 */
export class ChunkCheck {
  readonly #allowed: ReadonlySet<number>;
  readonly #onMessage: (type: number, payload: Buffer) => void;
  readonly #headers = new Map<number, Header>();
  #chunkBytes: number;
  #rest: Buffer = Buffer.alloc(0);
  /** The message that is being put together. */
  #current: { csid: number; parts: Buffer[]; have: number } | null = null;

  constructor(chunkBytes: number, allowed: readonly number[], onMessage: (type: number, payload: Buffer) => void) {
    this.#chunkBytes = chunkBytes;
    this.#allowed = new Set(allowed);
    this.#onMessage = onMessage;
  }

  /** True between two messages. */
  get complete(): boolean {
    return this.#rest.length === 0 && this.#current === null;
  }

  feed(data: Buffer): void {
    const all = this.#rest.length === 0 ? data : Buffer.concat([this.#rest, data]);
    let at = 0;
    for (let used = this.#chunk(all, at); used > 0; used = this.#chunk(all, at)) at += used;
    this.#rest = at === all.length ? Buffer.alloc(0) : Buffer.from(all.subarray(at));
  }

  /** Bytes of the chunk at `start`; 0 when it is not all there. */
  #chunk(data: Buffer, start: number): number {
    if (data.length - start < 1) return 0;
    const format = data[start]! >> 6;
    const csid = data[start]! & 63;
    if (csid < 2) throw new Finding('output', `we sent on a chunk stream id of ${csid}`);
    const headerBytes = [11, 7, 3, 0][format]!;
    let at = start + 1 + headerBytes;
    if (data.length < at) return 0;
    const known = this.#headers.get(csid);
    const current = this.#current;
    if (current !== null && (current.csid !== csid || format !== 3)) {
      throw new Finding('output', `a chunk of format ${format} on ${csid} within a message on ${current.csid}`);
    }
    if (known === undefined && format !== 0)
      throw new Finding('output', `chunk stream ${csid} begins without a header`);
    const header = { ...(known ?? { length: 0, type: 0, extended: false, field: 0 }) };
    if (format < 3) {
      header.field = data.readUIntBE(start + 1, 3);
      header.extended = header.field === 0xffffff;
    }
    if (format < 2) {
      header.length = data.readUIntBE(start + 4, 3);
      header.type = data[start + 7]!;
    }
    if (header.extended) {
      if (data.length < at + 4) return 0;
      const value = data.readUInt32BE(at);
      if (format === 3 && current !== null && value !== header.field) {
        throw new Finding('output', `an extended timestamp of ${value} is repeated as ${header.field}`);
      }
      header.field = value;
      at += 4;
    }
    const have = current?.have ?? 0;
    const end = at + Math.min(this.#chunkBytes, header.length - have);
    if (data.length < end) return 0;
    this.#headers.set(csid, header);
    const parts = current?.parts ?? [];
    parts.push(data.subarray(at, end));
    this.#current = { csid, parts, have: have + end - at };
    if (this.#current.have === header.length) {
      this.#current = null;
      this.#message(header.type, parts.length === 1 ? parts[0]! : Buffer.concat(parts));
    }
    return end - start;
  }

  #message(type: number, payload: Buffer): void {
    if (!this.#allowed.has(type)) throw new Finding('output', `we sent a message of type ${type}`);
    if (type === 1) this.#chunkBytes = payload.readUInt32BE(0);
    this.#onMessage(type, payload);
  }
}
