import type { SourceError } from '../errors.js';

/** What one connection to a source, or one run of a program, tells. Nothing once it was closed. */
export interface PullListener {
  /** A message of the stream. `payload` is valid only until the call returns. @param type 8 audio, 9 video, 18 data */
  onMedia(type: number, timestampMs: number, payload: Buffer): void;
  /** It is over, exactly once, and not by `close`. */
  onEnded(error: SourceError): void;
}

/** One connection to a source, or one run of a program. */
export interface PullLife {
  /** Ends it in order; the listener hears no more. */
  close(): void;
}

/** Begins one. @throws SourceError, TargetError, InputError: what hinders it at once */
export type StartPull = (listener: PullListener) => PullLife;
