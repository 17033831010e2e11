import { TargetEndedError, type TargetError } from '../errors.js';
import type { FlightRecorder } from '../events/flight-recorder.js';
import type { Logger } from '../log/log.js';
import { isoTime } from '../process/wall-clock.js';
import { FailureLog } from './failure-log.js';
import { causeOf, Outage } from './outage.js';
import { failureView, type PushFailure } from './push-failure.js';

/** Number of recent events that are logged when an active push fails. */
const dumpedEvents = 20;

/** What fails at a push: its last failure, the outage that it belongs to, and the words in the log. */
export class PushFailures {
  readonly #log: Logger;
  readonly #recorder: FlightRecorder;
  readonly #failureLog: FailureLog;
  readonly #outage = new Outage();
  #last: PushFailure | null = null;
  #wasEndedByTarget = false;

  constructor(log: Logger, recorder: FlightRecorder) {
    this.#log = log;
    this.#recorder = recorder;
    this.#failureLog = new FailureLog(log);
  }

  /** Null: it never failed. */
  get last(): PushFailure | null {
    return this.#last;
  }

  /** True when it failed last since the target ended the stream by its own word. */
  get wasEndedByTarget(): boolean {
    return this.#wasEndedByTarget;
  }

  /** A connection, or an attempt to make one, failed. */
  note(error: TargetError): void {
    this.#last = { code: error.code, message: error.message, atMs: Date.now() };
    this.#wasEndedByTarget = error instanceof TargetEndedError;
    this.#outage.failed(this.#last);
    this.#recorder.note('error', `${error.code}: ${error.message}`);
  }

  /** Logs it. @param failures in a row, with this one @param hadFlowed media had flowed before */
  tell(error: TargetError, pauseMs: number, failures: number, hadFlowed: boolean): void {
    if (this.#failureLog.failed(error, pauseMs, failures) && hadFlowed) {
      this.#log.info('events of the push before it failed', { events: this.#recorder.lines(dumpedEvents) });
    }
  }

  /** The target takes nothing, and its connection is still there. @param atMs milliseconds since 1970 */
  stalled(atMs: number): void {
    this.#outage.stalled(atMs);
  }

  /** Media flows. @param attempts that it took; null: it only stalled */
  flows(attempts: number | null): void {
    if (attempts !== null) this.#failureLog.active(attempts);
    this.#outage.flows();
  }

  /** It was well for a while: what failed before is over. */
  well(): void {
    this.#failureLog.well();
    this.#outage.end();
  }

  /** Nobody wants it any more. */
  end(): void {
    this.#outage.end();
  }

  /** What is seen of it. @param isWanted false: the camera is away, and so is the outage */
  status(isWanted: boolean) {
    const outage = isWanted ? this.#outage : null;
    const cause = outage === null ? undefined : causeOf(outage);
    return {
      ...(cause === undefined ? {} : { reason: cause }),
      lastError: failureView(this.#last),
      downSince: outage === null || outage.sinceMs === null ? null : isoTime(outage.sinceMs),
      firstError: failureView(outage?.first ?? null),
    };
  }
}
