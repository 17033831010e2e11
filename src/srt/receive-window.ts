import { flowWindowPackets } from './handshake.js';
import { sequenceAfter, sequenceDistance } from './packet.js';

const slotMask = flowWindowPackets - 1;
/** Stands for what the sender will not send again. */
const given = Buffer.alloc(0);

/**
 * Puts packets into their order. What comes in order is handed on at once; what comes behind a gap waits until the gap is
 * filled, or for as long as sender and receiver agreed on, and then goes on without what is missing (draft-sharabayko-srt,
 * sections 4.5 and 4.6, without the delay for what came in order: times of the stream are in the stream).
 */
export class ReceiveWindow {
  readonly #onPayload: (payload: Buffer) => void;
  readonly #latencyMs: number;
  /** The next to hand on. */
  #next: number;
  /** Behind the newest that came. */
  #end: number;
  /** What came behind a gap, and when; made when there is the first. */
  #waiting: (Buffer | null)[] | null = null;
  #waitingSinceMs: Float64Array | null = null;
  /** How many packets are missing between `next` and `end`. */
  #missing = 0;
  /** Packets that were missed when others came, whether they came later or not. */
  lost = 0;
  /** Packets that never came in time. */
  dropped = 0;
  received = 0;
  /** Those that had come, or were given up, before. */
  belated = 0;

  /** @param sequence the first that will come */
  constructor(sequence: number, latencyMs: number, onPayload: (payload: Buffer) => void) {
    this.#next = sequence;
    this.#end = sequence;
    this.#latencyMs = latencyMs;
    this.#onPayload = onPayload;
  }

  /** Everything before it has come or was given up. */
  get next(): number {
    return this.#next;
  }

  get missing(): number {
    return this.#missing;
  }

  /** Packets that the window has room for. */
  get free(): number {
    return flowWindowPackets - Math.max(0, sequenceDistance(this.#next, this.#end));
  }

  /**
   * Takes a packet. @param nowMs a monotonic clock
   * @returns how many are missing right before it, and were not known to be; 0: none
   */
  take(sequence: number, payload: Buffer, nowMs: number): number {
    const ahead = sequenceDistance(this.#next, sequence);
    if (ahead < 0) {
      this.belated++;
      return 0;
    }
    this.received++;
    if (ahead === 0 && this.#missing === 0) {
      this.#next = this.#end = sequenceAfter(sequence, 1);
      this.#onPayload(payload);
      return 0;
    }
    // The sender went on without an answer: what was before cannot be had any more.
    if (ahead >= flowWindowPackets) this.#leapTo(sequence);
    return this.#keep(sequence, payload, nowMs);
  }

  #keep(sequence: number, payload: Buffer, nowMs: number): number {
    this.#waiting ??= new Array<Buffer | null>(flowWindowPackets).fill(null);
    this.#waitingSinceMs ??= new Float64Array(flowWindowPackets);
    const slot = sequence & slotMask;
    const gap = sequenceDistance(this.#end, sequence);
    if (gap < 0) {
      if (this.#waiting[slot] !== null) {
        this.belated++;
        return 0;
      }
      this.#missing--;
    } else {
      this.#missing += gap;
      this.lost += gap;
      this.#end = sequenceAfter(sequence, 1);
    }
    this.#waiting[slot] = payload;
    this.#waitingSinceMs[slot] = nowMs;
    this.#handOn();
    return Math.max(0, gap);
  }

  /** The sender will not send these again (section 3.2.9). */
  giveUp(first: number, last: number): void {
    if (this.#missing === 0 || this.#waiting === null) return;
    const from = Math.max(0, sequenceDistance(this.#next, first));
    const to = Math.min(sequenceDistance(this.#next, last), sequenceDistance(this.#next, this.#end) - 1);
    for (let ahead = from; ahead <= to; ahead++) {
      const slot = sequenceAfter(this.#next, ahead) & slotMask;
      if (this.#waiting[slot] !== null) continue;
      this.#waiting[slot] = given;
      this.#missing--;
      this.dropped++;
    }
    this.#handOn();
  }

  /** Goes on without what has been missing for too long. */
  expire(nowMs: number): void {
    const [waiting, sinceMs] = [this.#waiting, this.#waitingSinceMs];
    while (this.#missing > 0 && waiting !== null && sinceMs !== null) {
      let first = this.#next;
      while (waiting[first & slotMask] === null) first = sequenceAfter(first, 1);
      if (nowMs - (sinceMs[first & slotMask] ?? 0) < this.#latencyMs) return;
      const gone = sequenceDistance(this.#next, first);
      this.dropped += gone;
      this.#missing -= gone;
      this.#next = first;
      this.#handOn();
    }
  }

  /** Calls with each range that is missing, until that says no. */
  eachGap(tell: (first: number, last: number) => boolean): void {
    if (this.#missing === 0 || this.#waiting === null) return;
    let at = this.#next;
    while (sequenceDistance(at, this.#end) > 0) {
      if (this.#waiting[at & slotMask] !== null) {
        at = sequenceAfter(at, 1);
        continue;
      }
      const first = at;
      while (this.#waiting[at & slotMask] === null && sequenceDistance(at, this.#end) > 0) at = sequenceAfter(at, 1);
      if (!tell(first, sequenceAfter(at, -1))) return;
    }
  }

  #handOn(): void {
    const waiting = this.#waiting;
    if (waiting === null) return;
    while (sequenceDistance(this.#next, this.#end) > 0) {
      const slot = this.#next & slotMask;
      const payload = waiting[slot] ?? null;
      if (payload === null) return;
      waiting[slot] = null;
      this.#next = sequenceAfter(this.#next, 1);
      if (payload !== given) this.#onPayload(payload);
    }
  }

  #leapTo(sequence: number): void {
    const skipped = sequenceDistance(this.#next, sequence);
    const waiting = this.#waiting;
    let kept = 0;
    while (waiting !== null && sequenceDistance(this.#next, this.#end) > 0) {
      const slot = this.#next & slotMask;
      const payload = waiting[slot] ?? null;
      waiting[slot] = null;
      this.#next = sequenceAfter(this.#next, 1);
      if (payload === null) continue;
      kept++;
      if (payload !== given) this.#onPayload(payload);
    }
    this.dropped += skipped - kept;
    this.lost += skipped - kept - this.#missing;
    this.#missing = 0;
    this.#next = this.#end = sequence;
  }
}
