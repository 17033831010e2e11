import type { ErrorCode } from '../errors.js';

/** An attempt or a connection of a push that failed. */
export interface PushFailure {
  readonly code: ErrorCode;
  readonly message: string;
  /** Milliseconds since 1970. */
  readonly atMs: number;
}
