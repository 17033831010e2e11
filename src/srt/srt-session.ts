import { heardMs } from '../process/standstill.js';
import type { SrtFacts } from '../rtmp/stream-host.js';
import { decrypt, type KeyMaterial } from './key-material.js';
import { ControlType, controlPacket, headerBytes, maxDatagramBytes } from './packet.js';
import { ReceiveWindow } from './receive-window.js';
import { RoundTrip } from './round-trip.js';

/** A peer of which nothing came for so long is gone (section 4.7: five seconds). */
const idleMs = 5000;
/** Who has nothing to send shows that it is there. */
const keepAliveMs = 1000;
/** Missing packets are asked for again after half the time there and back, and never sooner than this. */
const nakFloorMs = 20;
const maxKeyMessageBytes = 128;
/** Other key material is looked at so often at most: each costs milliseconds of a thread. Encoders change keys within hours. */
const keyPauseMs = 500;

/** What was agreed on with a caller, and who is told of what it sends. */
export interface SrtSessionOptions {
  /** What the socket on this side is called. */
  readonly id: number;
  /** What the peer calls its socket: packets to it bear this. */
  readonly peerId: number;
  /** The first sequence number of the caller. */
  readonly sequence: number;
  /** How long a missing packet is waited for. */
  readonly latencyMs: number;
  /** Null: the caller does not encrypt. */
  readonly keys: KeyMaterial | null;
  /** Sends a datagram to the peer; it is kept until it is sent. */
  readonly send: (packet: Buffer) => void;
  /** A payload in its order, once. */
  readonly onPayload: (payload: Buffer) => void;
  /**
   * New keys of the caller; whoever gets them calls `setKeys`, and answers with `answerKeys`.
   * @returns false: not now; the caller announces them again
   */
  readonly onKeys: (message: Buffer) => boolean;
  /** The peer ended it, or is gone. @param reason in words */
  readonly onEnd: (reason: string) => void;
}

/**
 * The receiving side of one SRT connection in live mode (draft-sharabayko-srt-01): acknowledges, asks for what is missing,
 * decrypts, and hands payloads on in their order. It has no socket and no timer; `tick` is called every 10 ms.
 */
export class SrtSession {
  readonly #options: SrtSessionOptions;
  readonly #window: ReceiveWindow;
  readonly #trip = new RoundTrip();
  readonly #begunMs = performance.now();
  #keys: KeyMaterial | null;
  #heardMs = performance.now();
  #sentMs = performance.now();
  #ackNumber = 0;
  #ackedNext: number;
  #ackedMs = 0;
  #isAckAnswered = true;
  #nakAtMs = 0;
  /** Of the last second, for the acknowledgements. */
  readonly #rate = { sinceMs: performance.now(), packets: 0, bytes: 0, packetsPerSecond: 0, bytesPerSecond: 0 };
  #undecryptable = 0;
  /** When key material was looked at last. */
  #keysAtMs = Number.NEGATIVE_INFINITY;
  /** What was answered last. */
  #answeredKeys: Buffer | null = null;
  #isOver = false;

  constructor(options: SrtSessionOptions) {
    this.#options = options;
    this.#keys = options.keys;
    this.#ackedNext = options.sequence;
    this.#window = new ReceiveWindow(options.sequence, options.latencyMs, (payload) => {
      // Any number of empty ones could wait for a byte.
      if (payload.length > 0) options.onPayload(payload);
    });
  }

  get figures(): SrtFacts {
    const { lost, dropped, received } = this.#window;
    return {
      rttMs: this.#trip.isMeasured ? Math.round(this.#trip.ms * 10) / 10 : null,
      latencyMs: this.#options.latencyMs,
      isEncrypted: this.#keys !== null,
      ...{ packets: received, packetsLost: lost, packetsDropped: dropped + this.#undecryptable },
    };
  }

  setKeys(keys: KeyMaterial): void {
    const { salt, even, odd } = keys;
    this.#keys = { salt, even: even ?? this.#keys?.even ?? null, odd: odd ?? this.#keys?.odd ?? null };
  }

  /** Tells the caller that its keys are in use (section 3.2.2): by sending them back. */
  answerKeys(message: Buffer): void {
    this.#answeredKeys = message;
    const packet = this.#control(ControlType.User, message.length);
    // The type behind that of the packet: a response.
    packet.writeUInt16BE(4, 2);
    message.copy(packet, headerBytes);
    this.#send(packet);
  }

  /** A datagram of the peer, for this socket. It is kept by what it is handed to. @param nowMs a monotonic clock */
  take(packet: Buffer, nowMs: number): void {
    if (this.#isOver || packet.length < headerBytes) return;
    this.#heardMs = nowMs;
    const first = packet.readUInt32BE(0);
    if (first < 0x80000000) this.#takeData(first, packet, nowMs);
    else this.#takeControl((first >>> 16) & 0x7fff, first & 0xffff, packet, nowMs);
  }

  /** Every 10 ms (section 4.8.1: the period of full acknowledgements). */
  tick(nowMs: number): void {
    if (this.#isOver) return;
    if (nowMs - this.#heardMs > idleMs && heardMs(this.#heardMs, nowMs) > idleMs) {
      this.#end(`nothing came of it for ${idleMs / 1000} s`);
      return;
    }
    this.#window.expire(nowMs);
    const waitedMs = this.#trip.ms + 4 * this.#trip.varianceMs + nakFloorMs;
    const isNew = this.#window.next !== this.#ackedNext;
    if (isNew || (!this.#isAckAnswered && nowMs - this.#ackedMs > waitedMs)) this.#acknowledge(nowMs);
    if (this.#window.missing > 0 && nowMs >= this.#nakAtMs) this.#askForMissing(nowMs);
    if (nowMs - this.#sentMs > keepAliveMs) this.#send(this.#control(ControlType.KeepAlive, 4).fill(0, headerBytes));
  }

  /** Tells the peer that it is over; nothing is taken any more. */
  shutDown(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#send(this.#control(ControlType.Shutdown, 4).fill(0, headerBytes));
  }

  #end(reason: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#options.onEnd(reason);
  }

  #takeData(sequence: number, packet: Buffer, nowMs: number): void {
    const payload = this.#plain(sequence, packet);
    if (payload === null) return;
    this.#rate.packets++;
    this.#rate.bytes += packet.length;
    const missing = this.#window.take(sequence, payload, nowMs);
    if (missing > 0) this.#askFor(sequence - missing, sequence - 1, missing, nowMs);
  }

  /** Null: it cannot be read; it is not asked for again. */
  #plain(sequence: number, packet: Buffer): Buffer | null {
    const payload = packet.subarray(headerBytes);
    const which = (packet.readUInt32BE(4) >>> 27) & 3;
    if (which === 0) {
      // Who said that it encrypts, and does not, is somebody else.
      if (this.#keys === null) return payload;
    } else if (this.#keys !== null && which !== 3) {
      const key = which === 1 ? this.#keys.even : this.#keys.odd;
      if (key !== null) return decrypt(payload, key, this.#keys.salt, sequence);
    }
    this.#undecryptable++;
    return null;
  }

  #takeControl(type: number, subtype: number, packet: Buffer, nowMs: number): void {
    const info = packet.readUInt32BE(4);
    if (type === ControlType.AckAck) {
      this.#trip.answered(info, nowMs);
      if (info === this.#ackNumber) this.#isAckAnswered = true;
    } else if (type === ControlType.DropRequest && packet.length >= headerBytes + 8) {
      const first = packet.readUInt32BE(headerBytes) & 0x7fffffff;
      this.#window.giveUp(first, packet.readUInt32BE(headerBytes + 4) & 0x7fffffff);
    } else if (type === ControlType.Shutdown) {
      this.#end('it ended the stream');
    } else if (type === ControlType.User && subtype === 3 && this.#keys !== null) {
      this.#takeKeys(packet.subarray(headerBytes), nowMs);
    }
  }

  /** Key material is announced again and again while no answer to it is heard. */
  #takeKeys(message: Buffer, nowMs: number): void {
    if (message.length > maxKeyMessageBytes) return;
    if (this.#answeredKeys?.equals(message) === true) this.answerKeys(this.#answeredKeys);
    else if (nowMs - this.#keysAtMs >= keyPauseMs && this.#options.onKeys(Buffer.from(message))) this.#keysAtMs = nowMs;
  }

  #acknowledge(nowMs: number): void {
    const rate = this.#rate;
    const passedMs = nowMs - rate.sinceMs;
    if (passedMs >= 1000) {
      rate.packetsPerSecond = Math.round((rate.packets * 1000) / passedMs);
      rate.bytesPerSecond = Math.round((rate.bytes * 1000) / passedMs);
      rate.packets = rate.bytes = 0;
      rate.sinceMs = nowMs;
    }
    this.#ackNumber = (this.#ackNumber + 1) >>> 0;
    this.#ackedNext = this.#window.next;
    this.#ackedMs = nowMs;
    this.#isAckAnswered = false;
    this.#trip.sent(this.#ackNumber, nowMs);
    const packet = this.#control(ControlType.Ack, 28, this.#ackNumber);
    packet.writeUInt32BE(this.#ackedNext, headerBytes);
    packet.writeUInt32BE(Math.round(this.#trip.ms * 1000), headerBytes + 4);
    packet.writeUInt32BE(Math.round(this.#trip.varianceMs * 1000), headerBytes + 8);
    packet.writeUInt32BE(this.#window.free, headerBytes + 12);
    packet.writeUInt32BE(rate.packetsPerSecond, headerBytes + 16);
    // How much the way could carry is not measured; live senders do not go by it.
    packet.writeUInt32BE(Math.max(1000, rate.packetsPerSecond * 10), headerBytes + 20);
    packet.writeUInt32BE(rate.bytesPerSecond, headerBytes + 24);
    this.#send(packet);
  }

  /** One range, as it is found missing. */
  #askFor(first: number, last: number, count: number, nowMs: number): void {
    this.#sendNak([rangeOf(first & 0x7fffffff, last & 0x7fffffff)]);
    // Where others are missing, too, their turn is not put off, or they would never be asked for again.
    if (this.#window.missing === count) this.#nakAtMs = nowMs + this.#nakPauseMs;
  }

  #askForMissing(nowMs: number): void {
    const ranges: number[][] = [];
    let words = 0;
    this.#window.eachGap((first, last) => {
      const range = rangeOf(first, last);
      words += range.length;
      if (words * 4 > maxDatagramBytes - headerBytes) return false;
      ranges.push(range);
      return true;
    });
    this.#sendNak(ranges);
    this.#nakAtMs = nowMs + this.#nakPauseMs;
  }

  get #nakPauseMs(): number {
    return Math.max(nakFloorMs, (this.#trip.ms + 4 * this.#trip.varianceMs) / 2);
  }

  #sendNak(ranges: readonly (readonly number[])[]): void {
    const words = ranges.flat();
    const packet = this.#control(ControlType.Nak, words.length * 4);
    for (const [index, word] of words.entries()) packet.writeUInt32BE(word, headerBytes + 4 * index);
    this.#send(packet);
  }

  #control(type: number, bodyBytes: number, info = 0): Buffer {
    const timestampUs = Math.round((performance.now() - this.#begunMs) * 1000) % 2 ** 32;
    return controlPacket(type, { info, timestampUs, peerId: this.#options.peerId, bodyBytes });
  }

  #send(packet: Buffer): void {
    this.#sentMs = performance.now();
    this.#options.send(packet);
  }
}

/** As lists of lost packets have it (appendix A): a number, or the first with a bit before it and the last. */
function rangeOf(first: number, last: number): number[] {
  return first === last ? [first] : [(0x80000000 | first) >>> 0, last];
}
