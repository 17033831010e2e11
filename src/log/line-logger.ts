import type { LineFilter, LogLevel } from './levels.js';
import type { LogFields, Logger } from './log.js';
import type { LogSummary } from './summary.js';

/** A logger that filters and sums up its lines, and hands the rest to one method. */
export abstract class LineLogger implements Logger {
  protected readonly filter: LineFilter;
  /** Stands before the destination, so that floods do not reach it. */
  protected readonly summary: LogSummary;
  /** Fields of all its lines. */
  protected readonly fields: LogFields;

  constructor(options: { filter: LineFilter; summary: LogSummary; fields: LogFields }) {
    this.filter = options.filter;
    this.summary = options.summary;
    this.fields = options.fields;
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

  abstract child(fields: LogFields): Logger;

  /** Writes a line. @param own fields of this line alone @param all those of the logger too */
  protected abstract write(level: LogLevel, message: string, own: LogFields | undefined, all: LogFields): void;

  #line(level: LogLevel, message: string, own: LogFields | undefined): void {
    if (!this.filter.allows(level, own?.camera ?? this.fields.camera)) return;
    const all = own === undefined ? this.fields : { ...this.fields, ...own };
    if (this.summary.admit(level, message, all)) this.write(level, message, own, all);
  }
}
