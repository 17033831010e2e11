import { pino, stdTimeFunctions } from 'pino';
import { prettyFactory } from 'pino-pretty';
import { plural } from '../plural.js';
import { LogDestination, type LogHealth } from './destination.js';
import { LineFilter, type LogLevel } from './levels.js';
import { LineLogger } from './line-logger.js';
import type { LogFields, Logger } from './log.js';
import type { RecentLines } from './recent-lines.js';
import { LogSummary } from './summary.js';

/** How lines are written; `auto`: for people on a terminal, else JSON. */
export type LogLineFormat = 'auto' | 'human' | 'json';

/** A Logger that writes, and can be made to write what it holds. */
export interface ProcessLogger extends Logger {
  /** Resolves when everything is written, or after the deadline: before the process exits. */
  flush(deadlineMs: number): Promise<void>;
  /** Opens the file of the log anew, where there is one: it was renamed. */
  reopen(): void;
  /** Lines that were lost, and what is wrong with the destination. */
  readonly health: LogHealth;
}

/** What a logger needs of where its lines go. */
export interface LogTarget {
  write(line: string): void;
  /** May return a promise. */
  flush?(deadlineMs: number): unknown;
  reopen?(): void;
  readonly health?: LogHealth;
}

export interface LoggerOptions {
  /** The least important lines that are logged; or what decides, where that may change. */
  readonly level: LogLevel | LineFilter;
  readonly format: LogLineFormat;
  /** What `auto` looks at, and whether colours may be used. */
  readonly isTerminal: boolean;
  readonly colors?: boolean;
  /** Default: standard error. Standard output is left to what a command prints as its result. */
  readonly target?: LogTarget;
  /** Gets every line too, as JSON. */
  readonly recent?: RecentLines;
}

const standardError = 2;

/** The log of a process. Lines are written without waiting: see `LogDestination`. */
export function createLogger(options: LoggerOptions): ProcessLogger {
  return loggerTo(options.target ?? createDestination(options, standardError), options);
}

/**
 * The log of a process in a file, which is made where it is not there.
 * @throws Error of `open` for what only a person mends: no such folder, no right, a folder
 */
export async function createFileLogger(file: string, options: Omit<LoggerOptions, 'target'>): Promise<ProcessLogger> {
  const destination = createDestination(options, file);
  await destination.open();
  return loggerTo(destination, options);
}

function createDestination(options: LoggerOptions, to: string | number): LogDestination {
  const encode = encoder(options);
  const iso = (ms: number): string => new Date(ms).toISOString();
  return new LogDestination({
    to,
    lostLine: (lines, fromMs, toMs, reason) => {
      const [from, until] = [iso(fromMs), iso(toMs)];
      const message = `${plural(lines, 'line')} of the log ${lines === 1 ? 'was' : 'were'} lost between ${from} and ${until}: ${reason}`;
      return encode(
        `${JSON.stringify({ level: 'warn', time: iso(Date.now()), lines, from, until, reason, message })}\n`,
      );
    },
  });
}

function encoder({ format, isTerminal, colors }: LoggerOptions): (line: string) => string {
  const isHuman = format === 'human' || (format === 'auto' && isTerminal);
  return isHuman ? humanFormat(colors ?? isTerminal) : (line) => line;
}

function loggerTo(target: LogTarget, options: LoggerOptions): ProcessLogger {
  const encode = encoder(options);
  const { recent } = options;
  const write = (line: string): void => {
    recent?.add(line);
    target.write(encode(line));
  };
  const root = pino(
    {
      // The filter decides: levels of pino's own would not reach the children that are there already.
      level: 'debug',
      base: null,
      messageKey: 'message',
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write },
  );
  const filter = typeof options.level === 'string' ? new LineFilter(options.level) : options.level;
  const summary = new LogSummary((level, message, fields) => root[level](cleanFields(fields), message));
  return new PinoLogger({ pino: root, target, filter, summary, fields: {} });
}

/** Formats in this thread, line by line: pino-pretty's own stream may lose its last lines at an abrupt exit. */
function humanFormat(colorize: boolean): (line: string) => string {
  const format = prettyFactory({
    colorize,
    messageKey: 'message',
    timestampKey: 'time',
    translateTime: 'SYS:HH:MM:ss.l',
    singleLine: true,
    // Errors are plain fields here: pino-pretty would spread them over several lines.
    errorLikeObjectKeys: [],
  });
  return (line) => format(line) ?? '';
}

interface PinoLike {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
  child(fields: LogFields): PinoLike;
}

class PinoLogger extends LineLogger implements ProcessLogger {
  readonly #pino: PinoLike;
  readonly #target: LogTarget;

  constructor(options: {
    pino: PinoLike;
    target: LogTarget;
    filter: LineFilter;
    summary: LogSummary;
    fields: LogFields;
  }) {
    super(options);
    this.#pino = options.pino;
    this.#target = options.target;
  }

  get health(): LogHealth {
    return this.#target.health ?? { linesLost: 0, problem: null };
  }

  async flush(deadlineMs: number): Promise<void> {
    this.summary.flush();
    await this.#target.flush?.(deadlineMs);
  }

  reopen(): void {
    this.#target.reopen?.();
  }

  child(fields: LogFields): Logger {
    const { filter, summary } = this;
    // No spread: each would make a hidden class, and there is a logger for each camera.
    const all = Object.assign({}, this.fields, fields);
    const child = this.#pino.child(cleanFields(fields));
    return new PinoLogger({ pino: child, target: this.#target, filter, summary, fields: all });
  }

  protected write(level: LogLevel, message: string, own: LogFields | undefined): void {
    this.#pino[level](cleanFields(own), cleanText(message));
  }
}

const textMaxLength = 4096;
const fieldsMaxDepth = 5;
const entriesMaxCount = 100;
/** Controls, and what turns the direction of text or hides it: with them a peer could forge lines and move the cursor. */
const unprintable = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** Text of unknown origin as it may be written to a terminal or a log: `\u001b` instead of ESC, and not endless. */
export function cleanText(text: string): string {
  const short = text.length > textMaxLength ? `${text.slice(0, textMaxLength)}…` : text;
  return short.replace(unprintable, (character) => {
    const point = character.codePointAt(0) ?? 0;
    return point > 0xffff ? `\\u{${point.toString(16)}}` : `\\u${point.toString(16).padStart(4, '0')}`;
  });
}

function cleanFields(fields: LogFields | undefined): LogFields {
  return fields === undefined ? {} : cleanRecord(fields, fieldsMaxDepth);
}

function cleanRecord(record: object, depth: number): Record<string, unknown> {
  const entries = Object.entries(record).slice(0, entriesMaxCount);
  return Object.fromEntries(entries.map(([key, value]) => [cleanText(key), cleanValue(value, depth - 1)]));
}

function cleanValue(value: unknown, depth: number): unknown {
  switch (typeof value) {
    case 'string':
      return cleanText(value);
    case 'bigint':
    case 'symbol':
    case 'function':
      return cleanText(String(value));
    case 'object':
      return value === null ? null : cleanObject(value, depth);
    default:
      return value;
  }
}

function cleanObject(value: object, depth: number): unknown {
  if (value instanceof Error) {
    return cleanError(value, depth);
  }
  if (value instanceof Date) {
    return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString();
  }
  if (ArrayBuffer.isView(value)) {
    return `[${value.byteLength} bytes]`;
  }
  if (depth <= 0) {
    return '[…]';
  }
  const list = value instanceof Set || value instanceof Map ? [...value] : value;
  return Array.isArray(list)
    ? list.slice(0, entriesMaxCount).map((entry) => cleanValue(entry, depth - 1))
    : cleanRecord(list, depth);
}

/** Only the frames of the stack are kept: its first lines are the message, which may be of a peer's making. */
function cleanError(error: Error, depth: number): Record<string, unknown> {
  const frames = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  return {
    name: cleanText(error.name),
    ...('code' in error && typeof error.code === 'string' ? { code: cleanText(error.code) } : {}),
    message: cleanText(error.message),
    ...(error.cause === undefined || depth <= 0 ? {} : { cause: cleanValue(error.cause, depth - 1) }),
    stack: frames.slice(0, 20).map((line) => cleanText(line.trim())),
  };
}
