import type { Logger } from '../log/log.js';

/** One remembered event. */
export interface RecordedEvent {
  /** ISO 8601, UTC. */
  readonly at: string;
  /** What happened: `state`, `error`, `command`, `drop` ... */
  readonly kind: string;
  /** The event in words. The caller masks secrets. */
  readonly text: string;
}

interface Entry {
  readonly atMs: number;
  readonly kind: string;
  readonly text: string;
}

const defaultCapacity = 300;
const maxTextLength = 300;

/**
 * Maximum number of lines per second in the log, so that a viewer that keeps playing and stopping cannot fill a disk.
 */
const maxLinesPerSecond = 100;

/** The recent events of a push or camera, a few hundred, in memory. An operator reads them after a failure. */
export class FlightRecorder {
  readonly #capacity: number;
  readonly #log: Logger | undefined;
  /** A ring once it is full. */
  readonly #entries: Entry[] = [];
  #next = 0;
  /** The current second since 1970, and the number of lines logged in it. */
  #second = 0;
  #lines = 0;

  /**
   * @param options.capacity how many events it remembers
   * @param options.log also gets each event, at level debug, except in a flood
   */
  constructor({ capacity = defaultCapacity, log }: { capacity?: number; log?: Logger } = {}) {
    this.#capacity = capacity;
    this.#log = log;
  }

  note(kind: string, text: string): void {
    const entry = { atMs: Date.now(), kind, text: text.slice(0, maxTextLength) };
    if (this.#log !== undefined) this.#tell(this.#log, entry);
    if (this.#entries.length < this.#capacity) this.#entries.push(entry);
    else this.#entries[this.#next] = entry;
    this.#next = (this.#next + 1) % this.#capacity;
  }

  #tell(log: Logger, { atMs, kind, text }: Entry): void {
    const second = Math.floor(atMs / 1000);
    if (second !== this.#second) {
      const leftOut = this.#lines - maxLinesPerSecond;
      if (leftOut > 0) log.debug('events of a flood are not in the log', { event: 'flood', leftOut });
      this.#second = second;
      this.#lines = 0;
    }
    this.#lines++;
    if (this.#lines <= maxLinesPerSecond) log.debug(text, { event: kind });
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
