import type { WatchEvent } from '../../etcd/protocol.js';
import { type EntryEvent, entryText } from './entries.js';
import type { ClusterKeys } from './keys.js';

/** How long the rest of a change may take, once a part of it is there. */
const heldLimitMs = 5000;

export interface ArrivalHandlers {
  /** A complete change by a node, of one or several transactions. */
  change(entries: readonly EntryEvent[]): void;
  /** What somebody wrote by hand. */
  edit(entries: readonly EntryEvent[]): void;
  /** A node made a change: the head has this revision now. */
  head(revision: number): void;
  /** The rest of a change did not come in time: what came was told by `change`. */
  torn(): void;
}

/**
 * Turns the events of the watch into changes. A change of several transactions is passed on when the last one has
 * arrived, so that nobody sees a part of it, unless its node died before it wrote the rest.
 */
export class Arrivals {
  readonly #keys: ClusterKeys;
  readonly #handlers: ArrivalHandlers;
  /** By id of a transaction of this node: the revision at which the watch brought it; 0: not yet. */
  readonly #expected = new Map<string, number>();
  #held: EntryEvent[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(keys: ClusterKeys, handlers: ArrivalHandlers) {
    this.#keys = keys;
    this.#handlers = handlers;
  }

  /** True while a node is in the middle of a change of several transactions. */
  get isInTheMiddle(): boolean {
    return this.#timer !== undefined;
  }

  /** Notes when the watch brings the transaction with this id, until `end` is called. */
  expect(id: string): { readonly seenAt: () => number; readonly end: () => void } {
    this.#expected.set(id, 0);
    return { seenAt: () => this.#expected.get(id) ?? 0, end: () => void this.#expected.delete(id) };
  }

  take(events: readonly WatchEvent[]): void {
    for (let from = 0; from < events.length; ) {
      const revision = events[from]!.kv.modRevision;
      let to = from;
      while (to < events.length && events[to]!.kv.modRevision === revision) to += 1;
      this.#takeRevision(events.slice(from, to), Number(revision));
      from = to;
    }
  }

  /** Drops the held part of a change. */
  drop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#held = [];
  }

  #takeRevision(events: readonly WatchEvent[], revision: number): void {
    const entries: EntryEvent[] = [];
    let head: HeadValue | undefined;
    for (const { type, kv } of events) {
      const key = kv.key.toString();
      if (key === this.#keys.head) {
        head = headIn(kv.value);
        this.#handlers.head(revision);
        if (this.#expected.has(head.id)) this.#expected.set(head.id, revision);
        continue;
      }
      const entry = this.#keys.entryOf(key);
      if (entry !== undefined)
        entries.push({ ...entry, text: type === 'PUT' ? entryText(kv.value) : undefined, revision });
    }
    if (head === undefined) {
      if (entries.length > 0) this.#handlers.edit(entries);
    } else if (head.more) this.#hold(entries);
    else this.#release(entries);
  }

  #hold(entries: readonly EntryEvent[]): void {
    this.#held.push(...entries);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#release([]);
      this.#handlers.torn();
    }, heldLimitMs).unref();
  }

  #release(entries: readonly EntryEvent[]): void {
    const all = [...this.#held, ...entries];
    this.drop();
    if (all.length > 0) this.#handlers.change(all);
  }
}

interface HeadValue {
  readonly id: string;
  readonly more: boolean;
}

function headIn(value: Buffer): HeadValue {
  try {
    const parsed: unknown = JSON.parse(value.toString());
    if (typeof parsed === 'object' && parsed !== null && 'id' in parsed) {
      return { id: String(parsed.id), more: 'more' in parsed && parsed.more === true };
    }
  } catch {
    // An entry written by hand is a change too.
  }
  return { id: '', more: false };
}
