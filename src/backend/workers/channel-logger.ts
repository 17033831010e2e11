import type { LineFilter } from '../../log/levels.js';
import { LineLogger } from '../../log/line-logger.js';
import type { LogFields, Logger } from '../../log/log.js';
import { LogSummary } from '../../log/summary.js';
import type { Report } from './protocol.js';

type Line = Extract<Report, { type: 'log' }>;

/** The log of a worker: its lines go to the supervisor, whose log is the only one. */
export class ChannelLogger extends LineLogger {
  readonly #send: (line: Line) => void;

  constructor(options: { send: (line: Line) => void; filter: LineFilter; fields?: LogFields; summary?: LogSummary }) {
    const { send, filter, fields = {} } = options;
    const summary =
      options.summary ??
      new LogSummary((level, message, told) => send({ type: 'log', level, message, fields: plain(told) }));
    super({ filter, summary, fields });
    this.#send = send;
  }

  /** Writes what was summed up until now. */
  flush(): void {
    this.summary.flush();
  }

  child(fields: LogFields): Logger {
    const all = { ...this.fields, ...fields };
    return new ChannelLogger({ send: this.#send, filter: this.filter, fields: all, summary: this.summary });
  }

  protected write(level: Line['level'], message: string, _own: LogFields | undefined, all: LogFields): void {
    this.#send({ type: 'log', level, message, fields: plain(all) });
  }
}

/** What JSON has a form for: errors have no properties that it would show, and of large integers it knows nothing. */
function plain(fields: LogFields): LogFields {
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, plainValue(value)]));
}

function plainValue(value: unknown): unknown {
  if (value instanceof Error) return plainError(value);
  return typeof value === 'bigint' ? String(value) : value;
}

/** As the supervisor's own log has errors: the stack's first lines are the message, which may be of a peer's making. */
function plainError(error: Error): Record<string, unknown> {
  const frames = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  return {
    name: error.name,
    ...('code' in error && typeof error.code === 'string' ? { code: error.code } : {}),
    message: error.message,
    ...(error.cause instanceof Error ? { cause: plainError(error.cause) } : {}),
    stack: frames.slice(0, 20).map((line) => line.trim()),
  };
}
