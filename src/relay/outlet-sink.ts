/** The destination of an outlet's bytes: a socket. */
export interface OutletSink {
  /**
   * Takes bytes, which are never modified afterwards. False: they are taken, but no more for now; call the outlet's
   * `resume` when there is room again.
   * @param goesOn the last message in them is not whole. The next call brings more of it, in the same turn and whatever this
   *   one returns; until then nothing else may be written to where the bytes go.
   */
  write(data: Buffer, goesOn?: boolean): boolean;
  /** Bytes that were taken and are not in the kernel yet. */
  readonly pendingBytes: number;
  /** Bytes that were taken and have not arrived, if that is known. */
  readonly flightBytes?: number;
  /** Milliseconds that they will need; 0 while the far side keeps up. */
  readonly flightDelayMs?: number;
  /** Milliseconds since the oldest of them was taken. */
  flightAgeMs?(nowMs: number): number;
  /** The outlet was far behind and has caught up, in a later turn. */
  caughtUp?(): void;
}

/** Bytes that a sink holds, or that are in flight. */
export function bytesIn(sink: OutletSink): number {
  return Math.max(sink.pendingBytes, sink.flightBytes ?? 0);
}

/** What may wait for an outlet. */
export interface OutletLimits {
  /** Maximum bytes that wait for the sink, including those in the sink. */
  readonly queueMaxBytes: number;
  /** Maximum age of the oldest waiting byte, milliseconds. */
  readonly queueMaxAgeMs: number;
}
