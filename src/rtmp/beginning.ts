import type { ServerHandshake } from '../wire/handshake.js';

/** The state of a connection when it is handed to the process or object that serves it. */
export interface Beginning {
  /** The handshake so far; null: it is complete and answered. */
  readonly handshake: ServerHandshake | null;
  /** Bytes that were read and not handled yet; with a complete handshake, everything after it. */
  readonly bytes: Buffer;
  /** Milliseconds since it was accepted. */
  readonly ageMs: number;
  /** Bytes that another socket object has read. */
  readonly bytesBefore: number;
  /** Its commands before the first `publish` or `play` were answered, and must not be answered again. */
  readonly isAnswered?: boolean;
  /** Why it has already ended, in words. */
  readonly ended?: string;
}
