import type { ErrorCode } from '../errors.js';
import { RejectReason } from './handshake.js';

/** What an encoder is told for each code of a refusal. */
const reasons: Readonly<Partial<Record<ErrorCode, number>>> = {
  PUBLISH_NOT_REGISTERED: RejectReason.NotFound,
  PUBLISH_FORBIDDEN: RejectReason.Unauthorized,
  PUBLISH_ALREADY_LIVE: RejectReason.Conflict,
  RTMP_LIMIT: RejectReason.Overload,
  LIMIT_REACHED: RejectReason.Overload,
  OPEN_FILES_LIMIT: RejectReason.Overload,
  HOOK_BUSY: RejectReason.Overload,
  INTERNAL: RejectReason.InternalError,
};

/** Any other one is told as forbidden. */
export function rejectReasonOf(code: ErrorCode): number {
  if (code.startsWith('SOURCE_')) return RejectReason.Down;
  return reasons[code] ?? RejectReason.Forbidden;
}

/** How long a refusal is said again without the question being asked again: callers repeat theirs four times a second. */
const keptMs = 3000;
const maxKept = 1000;

/** Refusals that were said just now, so that a caller that repeats itself is one guess, and one line. */
export class RecentRefusals {
  readonly #kept = new Map<string, { readonly reason: number; readonly untilMs: number }>();

  note(caller: string, reason: number, nowMs: number): void {
    this.#kept.delete(caller);
    this.#kept.set(caller, { reason, untilMs: nowMs + keptMs });
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > maxKept && oldest !== undefined) this.#kept.delete(oldest);
  }

  /** Undefined: it was not refused lately. */
  of(caller: string, nowMs: number): number | undefined {
    const kept = this.#kept.get(caller);
    return kept === undefined || kept.untilMs < nowMs ? undefined : kept.reason;
  }
}
