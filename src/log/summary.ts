import { addressKey } from '../address/plain-address.js';
import type { LogLevel } from './levels.js';
import type { LogFields } from './log.js';

const windowMs = 60_000;
/** Lines in full of one peer, message and reason in a window: what an ordinary peer causes is never summed up. */
const fullPerKey = 3;
/** Lines in full of one message in a window: of strangers in all, and of those that a registered camera is concerned with. */
const fullOfStrangers = 30;
const fullOfCameras = 1000;
/** Peers, with a message and a reason, that are told apart; what others cause is counted together. */
const maxKeys = 1000;
/** So many of those that caused most are named. */
const named = 5;

/** What is written at the end of a window. */
export type SummaryWriter = (level: LogLevel, message: string, fields: LogFields) => void;

interface Entry {
  readonly message: string;
  readonly peer: string;
  full: number;
  /** Lines that were counted instead of written, in this window. */
  counted: number;
  /** The last of their reasons. */
  reason: string;
}

interface Message {
  level: LogLevel;
  fullOfStrangers: number;
  fullOfCameras: number;
  counted: number;
}

/**
 * Bounds what others can make a log say: strangers that connect, publishers that are refused, targets that come and go,
 * calls without a right. What comes first is written in full; more of the same message, reason (its code) and peer (an
 * address, an IPv6 network of 64 bits, a target) is counted, and told in one line for each message at the end of the
 * minute. A peer that goes on is not written in full again before it was quiet for a minute.
 *
 * A line is about a peer when its fields name one: `remote`, `address`, `target`, `receiver`, or a `camera` in a line of
 * the media. What callers with a right change is no such line, and none of it is left out.
 */
export class LogSummary {
  readonly #write: SummaryWriter;
  readonly #windowMs: number;
  #entries = new Map<string, Entry>();
  readonly #messages = new Map<string, Message>();
  #timer: NodeJS.Timeout | null = null;

  /** @param window its length, for tests */
  constructor(write: SummaryWriter, window = windowMs) {
    this.#write = write;
    this.#windowMs = window;
  }

  /** True when the line is to be written; else it was counted. @param fields with those of the logger it comes from */
  admit(level: LogLevel, message: string, fields: LogFields): boolean {
    if (level === 'debug') return true;
    const peer = peerOf(fields);
    if (peer === undefined) return true;
    if (this.#timer === null) this.#timer = setTimeout(() => this.#end(), this.#windowMs).unref();
    const reason = reasonOf(fields);
    const key = `${message}\n${codeOf(reason)}\n${peer}`;
    const entry = this.#entries.get(key) ?? this.#remember(key, { message, peer, full: 0, counted: 0, reason });
    const counts = this.#countsOf(message, level);
    const kind = fields.camera === undefined ? 'fullOfStrangers' : 'fullOfCameras';
    const limit = kind === 'fullOfStrangers' ? fullOfStrangers : fullOfCameras;
    if (entry !== undefined && entry.full < fullPerKey && counts[kind] < limit) {
      entry.full++;
      counts[kind]++;
      return true;
    }
    counts.counted++;
    if (entry !== undefined) {
      entry.counted++;
      entry.reason = reason;
    }
    return false;
  }

  /** Tells what was counted, now: the process is about to end. */
  flush(): void {
    if (this.#timer === null) return;
    clearTimeout(this.#timer);
    this.#end();
  }

  #countsOf(message: string, level: LogLevel): Message {
    const known = this.#messages.get(message);
    if (known !== undefined) return known;
    const made = { level, fullOfStrangers: 0, fullOfCameras: 0, counted: 0 };
    // Messages are ours, and few.
    this.#messages.set(message, made);
    return made;
  }

  #remember(key: string, entry: Entry): Entry | undefined {
    if (this.#entries.size >= maxKeys) return undefined;
    this.#entries.set(key, entry);
    return entry;
  }

  #end(): void {
    this.#timer = null;
    const seconds = this.#windowMs / 1000;
    const entries = [...this.#entries.entries()].filter(([, entry]) => entry.counted > 0);
    for (const [message, { level, counted }] of this.#messages) {
      if (counted === 0) continue;
      const own = entries.filter(([, entry]) => entry.message === message).map(([, entry]) => entry);
      own.sort((a, b) => b.counted - a.counted);
      const most = own.slice(0, named).map(({ peer, reason, counted: lines }) => ({ peer, reason, lines }));
      const peers = new Set(own.map(({ peer }) => peer)).size;
      this.#write(level, `${counted} more lines "${message}" within ${seconds} s`, { lines: counted, peers, most });
    }
    this.#messages.clear();
    // Those that go on are counted from their next line on.
    this.#entries = new Map(entries.map(([key, entry]) => [key, { ...entry, full: fullPerKey, counted: 0 }]));
    if (entries.length > 0) this.#timer = setTimeout(() => this.#end(), this.#windowMs).unref();
  }
}

function peerOf({ remote, address, target, receiver, camera, part, summed }: LogFields): string | undefined {
  if (typeof remote === 'string') return addressKey(remote.replace(/:\d+$/, '').replace(/^\[|\]$/g, ''));
  if (typeof address === 'string') return addressKey(address);
  if (typeof target === 'string') return typeof camera === 'string' ? `${camera} ${target}` : target;
  if (typeof receiver === 'string') return receiver;
  if (typeof camera === 'string' && (part === undefined || part === 'media')) return camera;
  return summed === true ? '-' : undefined;
}

function reasonOf({ code, reason }: LogFields): string {
  const text = typeof reason === 'string' ? reason : '';
  const both = typeof code === 'string' ? `${code}: ${text}` : text;
  return both.slice(0, 120);
}

/** The stable part of a reason; what follows may be of a peer's making. */
function codeOf(reason: string): string {
  return /\b[A-Z]+_[A-Z_]+\b/.exec(reason)?.[0] ?? reason.slice(0, 24);
}
