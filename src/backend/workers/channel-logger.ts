import type { LineFilter } from '../../log/levels.js';
import type { LogFields, Logger } from '../../log/log.js';
import type { Report } from './protocol.js';

type Line = Extract<Report, { type: 'log' }>;

/** The log of a worker: its lines go to the supervisor, whose log is the only one. */
export class ChannelLogger implements Logger {
  readonly #send: (line: Line) => void;
  readonly #filter: LineFilter;
  readonly #fields: LogFields;

  constructor(options: { send: (line: Line) => void; filter: LineFilter; fields?: LogFields }) {
    this.#send = options.send;
    this.#filter = options.filter;
    this.#fields = options.fields ?? {};
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
    return new ChannelLogger({ send: this.#send, filter: this.#filter, fields: { ...this.#fields, ...fields } });
  }

  #line(level: Line['level'], message: string, fields: LogFields = {}): void {
    if (!this.#filter.allows(level, fields.camera ?? this.#fields.camera)) return;
    this.#send({ type: 'log', level, message, fields: plain({ ...this.#fields, ...fields }) });
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
