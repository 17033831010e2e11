/** A client needs one stream; some publish or play a few at once. */
export const maxStreamsPerConnection = 16;

export type Role = 'idle' | 'asking' | 'publishing' | 'playing';

/** A message stream and its use. */
export interface NetStream {
  readonly id: number;
  readonly role: Role;
  /** As the client wrote it, its query included. */
  name: string;
}

/**
 * The message streams of one connection (RTMP 1.0, section 7.2.2), and whose media it is that comes.
 *
 * Senders are careless about stream ids, and the servers that they are tested with hardly look at them: nginx-rtmp and
 * MediaMTX take what is published on any id, and media of any id as that of the one publish that there is. So a stream need
 * not have been made by `createStream`. Streams that were closed and never deleted give way to new ones.
 */
export class NetStreams {
  readonly #streams = new Map<number, { id: number; role: Role; name: string }>();
  #nextId = 1;
  /** The id of the only publishing stream; -1: none, or several. */
  #onlyPublishing = -1;
  /** The last media stream id, so that most messages need no look-up. */
  #lastId = -1;
  #lastPublishing = -1;

  /** Creates a stream. Null: all allowed ones are in use. */
  create(): NetStream | null {
    while (this.#streams.has(this.#nextId)) this.#nextId++;
    return this.open(this.#nextId++);
  }

  /** The stream with this id, created if it does not exist. Null: all allowed ones are in use. */
  open(id: number): NetStream | null {
    return this.get(id) ?? (this.#add(id) ? this.get(id)! : null);
  }

  get(id: number): NetStream | undefined {
    return this.#streams.get(id);
  }

  all(): readonly NetStream[] {
    return [...this.#streams.values()];
  }

  /** The id of the only stream that publishes or plays; -1: none, or several. */
  get onlyActive(): number {
    const active = this.all().filter(({ role }) => role === 'publishing' || role === 'playing');
    return active.length === 1 ? active[0]!.id : -1;
  }

  setRole(id: number, role: Role): void {
    const stream = this.#streams.get(id);
    if (stream === undefined) return;
    stream.role = role;
    this.#look();
  }

  delete(id: number): void {
    this.#streams.delete(id);
    this.#look();
  }

  /**
   * The publishing stream that media of this id is of: that of this id, or the only one that there is. -1: none, or it
   * could be any of several.
   */
  publishingFor(id: number): number {
    if (id === this.#lastId) return this.#lastPublishing;
    this.#lastId = id;
    this.#lastPublishing = this.#streams.get(id)?.role === 'publishing' ? id : this.#onlyPublishing;
    return this.#lastPublishing;
  }

  /** What `publishingFor` said last. */
  get lastPublishing(): number {
    return this.#lastPublishing;
  }

  #look(): void {
    const publishing = this.all().filter(({ role }) => role === 'publishing');
    this.#onlyPublishing = publishing.length === 1 ? publishing[0]!.id : -1;
    this.#lastId = -1;
  }

  #add(id: number): boolean {
    if (this.#streams.size >= maxStreamsPerConnection) {
      const idle = this.all().find(({ role }) => role === 'idle');
      if (idle === undefined) return false;
      this.delete(idle.id);
    }
    this.#streams.set(id, { id, role: 'idle', name: '' });
    return true;
  }
}
