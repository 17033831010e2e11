import { CodedError } from '../errors.js';

/** Ends who holds most, for longest, when unfinished messages take too much. */
export class UnfinishedBudget {
  readonly #maxBytes: number;
  readonly #shares = new Set<UnfinishedShare>();
  #bytes = 0;

  /** @param maxBytes that unfinished messages of all connections together may take */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Bytes of unfinished messages now. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The share of one more connection. @param end ends that connection, and closes the share */
  open(end: (reason: CodedError) => void): UnfinishedShare {
    const share = new UnfinishedShare(
      end,
      (bytes) => this.#changed(bytes),
      () => this.#shares.delete(share),
    );
    this.#shares.add(share);
    return share;
  }

  #changed(bytes: number): void {
    this.#bytes += bytes;
    while (bytes > 0 && this.#bytes > this.#maxBytes && this.#endOne()) {}
  }

  /**
   * A frame that is on its way is small or young; what is held to take memory is large and grows old. So bytes count by
   * the time for which they were held.
   */
  #endOne(): boolean {
    const nowMs = performance.now();
    let worst: UnfinishedShare | null = null;
    for (const share of this.#shares) if (share.weight(nowMs) > (worst?.weight(nowMs) ?? 0)) worst = share;
    if (worst === null) return false;
    const held = worst.bytes;
    worst.end(
      new CodedError(
        'RTMP_LIMIT',
        `the unfinished messages of all connections exceed unfinished-max-bytes (${this.#maxBytes}), and this one held ${held} bytes for longest`,
      ),
    );
    return worst.bytes === 0;
  }
}

/** What one connection holds of unfinished messages. */
export class UnfinishedShare {
  readonly end: (reason: CodedError) => void;
  readonly #onChange: (bytes: number) => void;
  readonly #onClose: () => void;
  #bytes = 0;
  /** The most that it held since `#sinceMs`. */
  #peakBytes = 0;
  #sinceMs = 0;
  #isClosed = false;

  constructor(end: (reason: CodedError) => void, onChange: (bytes: number) => void, onClose: () => void) {
    this.end = end;
    this.#onChange = onChange;
    this.#onClose = onClose;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** How much it holds, by the time for which it was never rid of half of it. */
  weight(nowMs: number): number {
    return this.#bytes * (1 + nowMs - this.#sinceMs);
  }

  /** So much is unfinished now; called behind each read. Says nothing once it is closed: nobody would give it back. */
  set(bytes: number): void {
    const change = bytes - this.#bytes;
    if (change === 0 || this.#isClosed) return;
    // Something was finished. Half, since small messages may come and go beside a large one that is held for ever.
    if (bytes * 2 < this.#peakBytes || this.#bytes === 0) {
      this.#sinceMs = performance.now();
      this.#peakBytes = 0;
    }
    this.#peakBytes = Math.max(this.#peakBytes, bytes);
    this.#bytes = bytes;
    this.#onChange(change);
  }

  /** The connection is over. */
  close(): void {
    this.#isClosed = true;
    const bytes = this.#bytes;
    this.#bytes = 0;
    this.#onChange(-bytes);
    this.#onClose();
  }
}
