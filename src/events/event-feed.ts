import type { FeedEvent, NewEvent } from './event.js';

/** Events that are kept for those who come back; about 2 MB of them. */
const defaultCapacity = 5000;

/** The longest text of a fact, in characters: what a peer says of itself must not fill the memory. */
const maxTextLength = 500;

/** Numbers that one millisecond of the clock is worth, so that a later run of the process begins above an earlier one. */
const idsPerMs = 1000;

export type FeedListener = (event: FeedEvent) => void;

/**
 * What happened on this node, in order, for all who follow it: the newest few thousand events in memory, each with a
 * number. A number of an earlier run of the process, or one that was forgotten, is recognised as such.
 */
export class EventFeed {
  readonly #capacity: number;
  /** A ring once it is full; event `id` lies at `(id - first) % capacity`. */
  readonly #events: FeedEvent[] = [];
  readonly #firstId: number;
  #nextId: number;
  readonly #listeners = new Set<FeedListener>();

  constructor(options: { capacity?: number; startedAtMs?: number } = {}) {
    this.#capacity = options.capacity ?? defaultCapacity;
    this.#firstId = (options.startedAtMs ?? Date.now()) * idsPerMs + 1;
    this.#nextId = this.#firstId;
  }

  /** The number of the newest event; before the first one, the number before it. */
  get newestId(): number {
    return this.#nextId - 1;
  }

  /** Tells everybody. Listeners must not throw. */
  publish(event: NewEvent): void {
    const { type, camera, push, engine, code, facts = {} } = event;
    const id = this.#nextId++;
    const at = new Date().toISOString();
    const json = JSON.stringify({ id, at, type, camera, push, engine, code, ...facts }, shortened);
    const entry: FeedEvent = { id, type, camera, json };
    const slot = (id - this.#firstId) % this.#capacity;
    if (slot === this.#events.length) this.#events.push(entry);
    else this.#events[slot] = entry;
    for (const listener of this.#listeners) listener(entry);
  }

  /**
   * The events behind this number, oldest first. Undefined when some of them are forgotten, or when the number is not of
   * this run of the process: whoever asks must look at everything anew.
   * @param limit how many at most
   */
  since(id: number, limit = Number.POSITIVE_INFINITY): readonly FeedEvent[] | undefined {
    const missed = this.newestId - id;
    if (!this.knew(id) || missed > this.#events.length) return undefined;
    const events: FeedEvent[] = [];
    for (let next = id + 1; next < this.#nextId && events.length < limit; next++) {
      const event = this.#events[(next - this.#firstId) % this.#capacity];
      if (event !== undefined) events.push(event);
    }
    return events;
  }

  /** True for a number that this run of the process gave out. */
  knew(id: number): boolean {
    return id >= this.#firstId - 1 && id < this.#nextId;
  }

  /** Calls for every event from now on, in order. Returns the way to end it. */
  subscribe(listener: FeedListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

function shortened(_key: string, value: unknown): unknown {
  return typeof value === 'string' && value.length > maxTextLength ? `${value.slice(0, maxTextLength)}…` : value;
}
