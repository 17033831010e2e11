/** Lines that are kept at most, and their text in all, characters. */
const maxLines = 2000;
const maxLength = 1 << 20;
/** Ids per millisecond of the clock, so that a later run of the process starts with higher ids. */
const idsPerMs = 1000;

export interface RecentLine {
  readonly id: number;
  /** JSON, as it was logged: `time`, `level`, `message` and its fields. */
  readonly json: string;
}

/** The newest lines of this process's log, in memory, each with a number: for whoever reads the log through the API. */
export class RecentLines {
  readonly #lines: RecentLine[] = [];
  /** Index of the oldest that is kept; those before it are cut off now and then. */
  #head = 0;
  #length = 0;
  readonly #firstId: number;
  #nextId: number;

  constructor(startedAtMs?: number) {
    this.#firstId = (startedAtMs ?? Date.now()) * idsPerMs + 1;
    this.#nextId = this.#firstId;
  }

  /** The id of the newest line; before the first, the id before it. */
  get newestId(): number {
    return this.#nextId - 1;
  }

  add(json: string): void {
    this.#lines.push({ id: this.#nextId, json });
    this.#nextId += 1;
    this.#length += json.length;
    while (this.#lines.length - this.#head > maxLines || this.#length > maxLength) {
      this.#length -= this.#lines[this.#head]?.json.length ?? 0;
      this.#head += 1;
    }
    if (this.#head >= maxLines) {
      this.#lines.splice(0, this.#head);
      this.#head = 0;
    }
  }

  /** All that are kept, newest first. */
  *newestFirst(): Generator<RecentLine, void> {
    for (let index = this.#lines.length - 1; index >= this.#head; index -= 1) {
      const line = this.#lines[index];
      if (line !== undefined) yield line;
    }
  }

  /** Those after this id, oldest first. `missed`: there were others in between, or the id is of another run. */
  since(id: number): { readonly lines: readonly RecentLine[]; readonly missed: boolean } {
    const oldestId = this.#nextId - (this.#lines.length - this.#head);
    const isKnown = id >= this.#firstId - 1 && id < this.#nextId;
    if (!isKnown || id < oldestId - 1) return { lines: this.#lines.slice(this.#head), missed: true };
    return { lines: this.#lines.slice(this.#head + (id + 1 - oldestId)), missed: false };
  }
}
