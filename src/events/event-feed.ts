import type { EventType, FeedEvent, NewEvent } from './event.js';

/** Number of events kept for readers that reconnect; about 2 MB. */
const defaultCapacity = 5000;

/** Maximum length of a text in a fact, in characters, since peers choose some of these texts. */
const maxTextLength = 500;

/** Ids per millisecond of the clock, so that a later run of the process starts with higher ids. */
const idsPerMs = 1000;

export type FeedListener = (event: FeedEvent) => void;

/**
 * The newest few thousand events of this node, in memory and in order, each with an id. The feed recognises ids of an
 * earlier run of the process, and ids of events that are no longer kept.
 */
export class EventFeed {
  readonly #capacity: number;
  /** A ring once it is full; event `id` lies at `(id - first) % capacity`. */
  readonly #events: FeedEvent[] = [];
  readonly #firstId: number;
  #nextId: number;
  readonly #listeners = new Set<FeedListener>();
  /** The node whose events these are; undefined: it is alone, and they do not say. */
  node: string | undefined;

  constructor(options: { capacity?: number; startedAtMs?: number } = {}) {
    this.#capacity = options.capacity ?? defaultCapacity;
    this.#firstId = (options.startedAtMs ?? Date.now()) * idsPerMs + 1;
    this.#nextId = this.#firstId;
  }

  /** The id of the newest event; before the first event, the id before it. */
  get newestId(): number {
    return this.#nextId - 1;
  }

  /** Notifies all listeners. They must not throw. */
  publish(event: NewEvent): void {
    const { type, camera, push, engine, code, facts = {} } = event;
    const at = new Date().toISOString();
    this.#add(type, camera, { at, type, camera, push, engine, code, node: this.node, ...facts });
  }

  /** Takes an event of another feed, with an id of this one. @param fields the event as it was told there */
  take(
    { id: _, ...fields }: { readonly id: number; readonly type: EventType; readonly camera?: string | undefined },
    node: string,
  ): void {
    this.#add(fields.type, fields.camera, { ...fields, node });
  }

  #add(type: EventType, camera: string | undefined, fields: object): void {
    const id = this.#nextId++;
    const json = JSON.stringify({ id, ...fields }, shortened);
    const entry: FeedEvent = { id, type, camera, json };
    const slot = (id - this.#firstId) % this.#capacity;
    if (slot === this.#events.length) this.#events.push(entry);
    else this.#events[slot] = entry;
    for (const listener of this.#listeners) listener(entry);
  }

  /**
   * The events after this id, oldest first. Undefined if some of them are no longer kept, or the id is from another run
   * of the process: the reader must then read the whole state again.
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

  /** The id before the newest `count` of the kept events that are wanted; before the oldest, if there are fewer. */
  idBefore(count: number, wants: (event: FeedEvent) => boolean): number {
    let left = count;
    let id = this.newestId;
    const last = id - this.#events.length;
    for (; id > last && left > 0; id -= 1) {
      const event = this.#events[(id - this.#firstId) % this.#capacity];
      if (event !== undefined && wants(event)) left -= 1;
    }
    return id;
  }

  /** True if this run of the process has issued this id. */
  knew(id: number): boolean {
    return id >= this.#firstId - 1 && id < this.#nextId;
  }

  /** Calls `listener` for every event from now on, in order. Returns a function that ends this. */
  subscribe(listener: FeedListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

function shortened(_key: string, value: unknown): unknown {
  return typeof value === 'string' && value.length > maxTextLength ? `${value.slice(0, maxTextLength)}…` : value;
}
