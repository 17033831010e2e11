/** Facts that go with a log line, as fields. Never a secret; URLs only after `maskUrl`, those of pushes after `maskTarget`. */
export type LogFields = Readonly<Record<string, unknown>>;

/** What every layer logs through. A layer that wants its own prefix or fields takes a `child`. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger that adds these fields to each of its lines. */
  child(fields: LogFields): Logger;
}

/** A logger that drops everything: for tests and for embedding. */
export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLogger,
};
