import type { Logger } from './log.js';

/** One remembered event. */
export interface RecordedEvent {
  /** ISO 8601, UTC. */
  readonly at: string;
  /** What happened: `state`, `error`, `command`, `drop` ... */
  readonly kind: string;
  /** In words; secrets are masked before they come here. */
  readonly text: string;
}

interface Entry {
  readonly atMs: number;
  readonly kind: string;
  readonly text: string;
}

const defaultCapacity = 300;
const maxTextLength = 300;

/** The last few hundred events of a push or a camera, in memory: what an operator wants to read when it failed. */
export class FlightRecorder {
  readonly #capacity: number;
  readonly #log: Logger | undefined;
  /** A ring once it is full. */
  readonly #entries: Entry[] = [];
  #next = 0;

  /**
   * @param options.capacity how many events it remembers
   * @param options.log gets each event too, at level debug
   */
  constructor({ capacity = defaultCapacity, log }: { capacity?: number; log?: Logger } = {}) {
    this.#capacity = capacity;
    this.#log = log;
  }

  note(kind: string, text: string): void {
    this.#log?.debug(text, { event: kind });
    const entry = { atMs: Date.now(), kind, text: text.slice(0, maxTextLength) };
    if (this.#entries.length < this.#capacity) this.#entries.push(entry);
    else this.#entries[this.#next] = entry;
    this.#next = (this.#next + 1) % this.#capacity;
  }

  /** Oldest first. */
  events(): RecordedEvent[] {
    const full = this.#entries.length === this.#capacity;
    const ordered = full ? [...this.#entries.slice(this.#next), ...this.#entries.slice(0, this.#next)] : this.#entries;
    return ordered.map(({ atMs, kind, text }) => ({ at: new Date(atMs).toISOString(), kind, text }));
  }

  /** The newest `count` events as lines, for the log. */
  lines(count: number): string[] {
    return this.events()
      .slice(-count)
      .map(({ at, kind, text }) => `${at} ${kind} ${text}`);
  }
}
