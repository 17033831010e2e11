import type { LineFilter } from '../../log/levels.js';
import type { LogFields, Logger } from '../../log/log.js';
import { LogSummary } from '../../log/summary.js';
import type { Report } from './protocol.js';

type Line = Extract<Report, { type: 'log' }>;

/** The log of a worker: its lines go to the supervisor, whose log is the only one. */
export class ChannelLogger implements Logger {
  readonly #send: (line: Line) => void;
  readonly #filter: LineFilter;
  readonly #fields: LogFields;
  /** Before the channel: floods must not fill it. */
  readonly #summary: LogSummary;

  constructor(options: { send: (line: Line) => void; filter: LineFilter; fields?: LogFields; summary?: LogSummary }) {
    const { send, filter, fields = {} } = options;
    this.#send = send;
    this.#filter = filter;
    this.#fields = fields;
    this.#summary =
      options.summary ??
      new LogSummary((level, message, told) => send({ type: 'log', level, message, fields: plain(told) }));
  }

  /** Tells what was summed up until now. */
  flush(): void {
    this.#summary.flush();
  }

  debug(message: string, fields?: LogFields): void {
    this.#line('debug', message, fields);
  }

  info(message: string, fields?: LogFields): void {
    this.#line('info', message, fields);
  }

  warn(message: string, fields?: LogFields): void {
    this.#line('warn', message, fields);
  }

  error(message: string, fields?: LogFields): void {
    this.#line('error', message, fields);
  }

  child(fields: LogFields): Logger {
    const all = { ...this.#fields, ...fields };
    return new ChannelLogger({ send: this.#send, filter: this.#filter, fields: all, summary: this.#summary });
  }

  #line(level: Line['level'], message: string, fields: LogFields = {}): void {
    if (!this.#filter.allows(level, fields.camera ?? this.#fields.camera)) return;
    const all = { ...this.#fields, ...fields };
    if (!this.#summary.admit(level, message, all)) return;
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
