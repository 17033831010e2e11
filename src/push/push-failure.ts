import type { ErrorCode } from '../errors.js';
import { isoTime } from '../process/wall-clock.js';

/** An attempt or a connection of a push that failed. */
export interface PushFailure {
  readonly code: ErrorCode;
  readonly message: string;
  /** Milliseconds since 1970. */
  readonly atMs: number;
}

/** As it is shown. */
export function failureView(failure: PushFailure | null): { code: ErrorCode; message: string; at: string } | null {
  return failure === null ? null : { code: failure.code, message: failure.message, at: isoTime(failure.atMs) };
}
