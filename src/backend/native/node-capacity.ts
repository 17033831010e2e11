import { CodedError, TargetError } from '../../errors.js';
import { plural } from '../../plural.js';
import type { BackendProblem, CapacityFacts } from '../backend.js';

/** What a node is to carry at most; null: no limit. */
export interface CapacityLimits {
  /** Bits per second to targets, other nodes and viewers. */
  readonly outBps: number | null;
  /** Cameras that are live at once, those that other nodes send among them. */
  readonly cameras: number | null;
}

/** A camera as far as it takes room. */
export interface RoomUser {
  /** What it sends, bits per second. */
  readonly bitrateBps: number;
  /** Copies of it that are sent, or have room that is kept for them. */
  readonly copies: number;
}

/** Who was refused gets in when there was room for so many looks in a row, and a share of the limit more than needed. */
const calmLooks = 5;
const spareShare = 0.05;
/** What a copy is taken to be where no camera's bit rate is known yet, as in the first seconds after a start. */
const guessBps = 4_000_000;
/** Below this share of the limit a node that was full is not any more, when it has been below for so long. */
const freeShare = 0.9;
const freeMs = 5000;
/** How long a refusal is a problem of the node, where it is not repeated. */
const refusalMs = 30_000;

/**
 * How much a node carries, and whether there is room for more. Who has room keeps it: a camera that sends more than before makes
 * the node full, and ends nothing. Between two looks, what was let in counts with what it was expected to take.
 */
export class NodeCapacity {
  readonly #limits: CapacityLimits;
  readonly #now: () => number;
  readonly #live = new Set<string>();
  /** As of the last look: the cameras' bit rates, each times its copies. */
  #committedBps = 0;
  /** What was let in since then. */
  #pendingBps = 0;
  /** Of a camera whose bit rate is known, as of the last look. */
  #averageBps = 0;
  /** What was used at the last looks, the oldest first. */
  readonly #lately: number[] = [];
  #looks = 0;
  #isFull = false;
  #freeSinceMs: number | null = null;
  /** The text is that of the first refusal: another one would be another problem to those who follow the events. */
  #refused: { readonly atMs: number; readonly since: string; readonly message: string } | null = null;
  /** Where else cameras may publish, in words for who is refused. */
  #elsewhere: (camera: string) => readonly string[] = () => [];
  #onFull: (() => void) | undefined;

  /** @param now a monotonic clock, milliseconds */
  constructor(limits: CapacityLimits, now: () => number = () => performance.now()) {
    this.#limits = limits;
    this.#now = now;
  }

  /** True where somebody said how much the bits may be: else nothing has to be counted. */
  get countsBits(): boolean {
    return this.#limits.outBps !== null;
  }

  /** @param elsewhere the endpoints of other nodes that would take a camera @param onFull told when `isFull` changes */
  advise(elsewhere: (camera: string) => readonly string[], onFull: () => void): void {
    this.#elsewhere = elsewhere;
    this.#onFull = onFull;
  }

  /** It takes no new cameras; with a distance between the two, so that it does not change all the time. */
  get isFull(): boolean {
    return this.#isFull;
  }

  get facts(): CapacityFacts {
    const { outBps, cameras } = this.#limits;
    return { outBps, cameras, committedBps: outBps === null ? 0 : this.#usedBps, isFull: this.#isFull };
  }

  get problems(): readonly BackendProblem[] {
    const refused = this.#refused;
    if (refused === null || this.#now() - refused.atMs > refusalMs) return [];
    return [{ code: 'NODE_FULL', message: refused.message, since: refused.since }];
  }

  /** A stream of the camera begins. */
  enter(camera: string): void {
    this.#live.add(camera);
    this.#judge();
  }

  /** Its stream is over. */
  leave(camera: string): void {
    this.#live.delete(camera);
    this.#judge();
  }

  /**
   * Why a camera may not begin to send here; undefined: it may. One that is live already may always.
   * @param copies that are to be sent of it. Where another node would take it there has to be room for all of them, else for one
   * @param isRelay another node sends it, which finds another way
   */
  refusesCamera(camera: string, expectedBps: number, copies: number, isRelay = false): CodedError | undefined {
    const { cameras, outBps } = this.#limits;
    if (this.#live.has(camera) || (cameras === null && outBps === null)) return undefined;
    const isTooMany = cameras !== null && this.#live.size >= cameras;
    const bps = this.#expected(expectedBps);
    if (!isTooMany && this.#fits(bps * copies)) return undefined;
    const others = isRelay ? [] : this.#elsewhere(camera);
    if (!isRelay && !isTooMany && others.length === 0 && this.#fits(bps)) return undefined;
    this.#note(`camera ${camera}`);
    if (isRelay) return new CodedError('NODE_FULL', `camera ${camera} is not accepted (NODE_FULL): ${this.#words()}`);
    const where =
      others.length === 0 ? 'it is let in when there is room' : `publish it to ${others.slice(0, 3).join(' or ')}`;
    return new CodedError('NODE_FULL', `camera ${camera} is not accepted (NODE_FULL): ${this.#words()}; ${where}`);
  }

  /**
   * Takes room for one more copy of a camera.
   * @param expectedBps the bit rate of the camera; 0: not known, it is taken to be as the others are
   * @param wasRefused whether it asks again, after there was no room @param what in words
   * @param camera that could be at another node instead; undefined: that would not help
   * @returns why there is none
   */
  take(expectedBps: number, wasRefused: boolean, what: string, camera?: string): TargetError | undefined {
    const { outBps } = this.#limits;
    if (outBps === null) return undefined;
    const bps = this.#copyBps(expectedBps);
    const highBps = Math.max(this.#usedBps, ...this.#lately);
    // Where nothing else is sent, there is nothing to keep a distance from.
    const spareBps = Math.min(outBps * spareShare, highBps);
    if (wasRefused ? highBps + bps + spareBps <= outBps : this.#fits(bps)) {
      this.#pendingBps += bps;
      this.#judge();
      return undefined;
    }
    this.#note(what);
    const [other] = camera === undefined ? [] : this.#elsewhere(camera);
    const orElse = other === undefined ? '' : `, or when the camera publishes to a node that has some: ${other}`;
    return new TargetError(
      'NODE_FULL',
      `no room for ${mbps(bps)} more: ${this.#words()}; it starts when there is room${orElse}`,
    );
  }

  /** How often it was counted anew. */
  get looks(): number {
    return this.#looks;
  }

  /**
   * What `take` gave is not used any more. It counts until the next look, where the last one was after it.
   * @param expectedBps as it was told then @param looks as it was then
   */
  giveBack(expectedBps: number, looks: number): void {
    if (this.#limits.outBps === null || looks !== this.#looks) return;
    this.#pendingBps = Math.max(0, this.#pendingBps - this.#copyBps(expectedBps));
  }

  /**
   * Counts anew. Call about once a second.
   * @param sentBps what is really sent; it counts where it is more
   */
  look(users: Iterable<RoomUser>, sentBps: number): void {
    let committed = 0;
    let known = 0;
    let sum = 0;
    for (const { bitrateBps, copies } of users) {
      committed += this.#copyBps(bitrateBps) * copies;
      if (bitrateBps === 0) continue;
      known++;
      sum += bitrateBps;
    }
    this.#averageBps = known === 0 ? 0 : sum / known;
    this.#committedBps = Math.max(committed, sentBps);
    this.#pendingBps = 0;
    this.#looks++;
    this.#lately.push(this.#committedBps);
    if (this.#lately.length > calmLooks) this.#lately.shift();
    this.#judge();
  }

  get #usedBps(): number {
    return Math.round(this.#committedBps + this.#pendingBps);
  }

  #expected(bps: number): number {
    return bps > 0 ? bps : this.#averageBps;
  }

  /** Of one copy: never nothing, else all of a start would be let in before the first bit rate is known. */
  #copyBps(bps: number): number {
    return this.#expected(bps) || Math.min(guessBps, this.#limits.outBps ?? guessBps);
  }

  #fits(bps: number): boolean {
    const { outBps } = this.#limits;
    return outBps === null || this.#usedBps + bps <= outBps;
  }

  #note(what: string): void {
    const nowMs = this.#now();
    const known = this.#refused !== null && nowMs - this.#refused.atMs <= refusalMs ? this.#refused : undefined;
    const message = `${this.#words()}: ${what} was refused`;
    this.#refused = { since: new Date().toISOString(), message, ...known, atMs: nowMs };
  }

  #judge(): void {
    const { outBps, cameras } = this.#limits;
    const neededBps = this.#usedBps + this.#averageBps;
    const isTooMany = cameras !== null && this.#live.size >= cameras;
    const isFull = isTooMany || (outBps !== null && (this.#usedBps >= outBps || neededBps > outBps));
    const isFree = !isTooMany && (outBps === null || neededBps <= outBps * freeShare);
    const nowMs = this.#now();
    if (!isFree) this.#freeSinceMs = null;
    else this.#freeSinceMs ??= nowMs;
    const isFreeAgain = this.#freeSinceMs !== null && nowMs - this.#freeSinceMs >= freeMs;
    const next = this.#isFull ? !isFreeAgain : isFull;
    if (next === this.#isFull) return;
    this.#isFull = next;
    this.#onFull?.();
  }

  #words(): string {
    const { outBps, cameras } = this.#limits;
    const parts = [
      ...(cameras === null ? [] : [`${this.#live.size} of ${plural(cameras, 'camera')}`]),
      ...(outBps === null ? [] : [`${mbps(this.#usedBps)} of ${mbps(outBps)} out`]),
    ];
    return `this node is full (${parts.join(', ')})`;
  }
}

function mbps(bps: number): string {
  return `${Math.round(bps / 1e5) / 10} Mbit/s`;
}
