import type { TargetError } from '../errors.js';

/** A push whose target takes nothing for so long gives its room to others. */
const keptMs = 60_000;

/** The room that a push holds at its node: taken before it connects, and kept over short outages of its target. */
export class PushRoom {
  readonly #take: (wasRefused: boolean) => TargetError | undefined;
  #isHeld = false;
  #isAwaited = false;
  #flowedMs = 0;

  /** @param isHeld it takes over the room of another one */
  constructor(take: (wasRefused: boolean) => TargetError | undefined = () => undefined, isHeld = false) {
    this.#take = take;
    this.#isHeld = isHeld;
    if (isHeld) this.#flowedMs = performance.now();
  }

  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** There was none, and it is asked for again every second. */
  get isAwaited(): boolean {
    return this.#isAwaited;
  }

  /** @returns undefined: it is held now; else why there is none, and whether that is known already */
  ask(nowMs: number): { readonly error: TargetError; readonly isNews: boolean } | undefined {
    if (this.#isHeld) return undefined;
    const error = this.#take(this.#isAwaited);
    const isNews = !this.#isAwaited;
    this.#isHeld = error === undefined;
    this.#isAwaited = error !== undefined;
    this.#flowedMs = nowMs;
    return error === undefined ? undefined : { error, isNews };
  }

  /**
   * Call about once a second. @param isUsed media flows, or it is not known whether the target takes it
   * @param isConnected there is a connection, or one is being made: what it may send has its room
   */
  look(nowMs: number, isUsed: boolean, isConnected: boolean): void {
    if (isUsed) this.#flowedMs = nowMs;
    else if (!isConnected && nowMs - this.#flowedMs > keptMs) this.#isHeld = false;
  }

  /** Nobody waits for it. */
  stopAsking(): void {
    this.#isAwaited = false;
  }

  release(): void {
    this.#isHeld = this.#isAwaited = false;
  }
}
