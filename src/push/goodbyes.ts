import type { PushLife } from './push-life.js';
import type { PushTotals } from './push-totals.js';

/**
 * `drained`: after the rest of the stream; `removed`: after what has come of it, where the target takes that at once, as most do;
 * `now`: after the bytes in the socket.
 */
export type WhenToEnd = 'drained' | 'removed' | 'now';

/** Closes connections of a push in order: each still sends what it has, and says goodbye. */
export class Goodbyes {
  readonly #totals: PushTotals;
  /** Connections that only send the rest of their stream. Null, as the next: there never was one. */
  #draining: Set<PushLife> | null = null;
  /** One for each connection that is being closed. */
  #closing: Set<Promise<void>> | null = null;

  /** @param totals get the counts of each connection at its end */
  constructor(totals: PushTotals) {
    this.#totals = totals;
  }

  /** Bytes handed to the network by connections that are not in the totals yet. */
  get bytesOut(): number {
    let bytes = 0;
    for (const life of this.#draining ?? []) bytes += life.outlet?.bytesOut ?? 0;
    return bytes;
  }

  /** Ends a connection. */
  say(life: PushLife, when: WhenToEnd): void {
    const { connection, outlet } = life;
    const goodbye = (async (): Promise<void> => {
      outlet?.flush(performance.now()); // audio that still waits for its frame
      if (outlet !== null && (when === 'drained' || (when === 'removed' && !outlet.hasCaughtUp))) {
        this.#draining ??= new Set();
        this.#draining.add(life);
        await life.drain(when === 'removed');
        this.#draining.delete(life);
      }
      life.bury(this.#totals);
      connection.close();
      await connection.closed;
    })().finally(() => this.#closing?.delete(goodbye));
    this.#closing ??= new Set();
    this.#closing.add(goodbye);
  }

  /** Resolves when every connection that is being closed is closed. */
  async done(): Promise<void> {
    await Promise.all(this.#closing ?? []);
  }
}
