import { addressKey } from '../address/plain-address.js';
import { plural } from '../plural.js';
import type { LogLevel } from './levels.js';
import type { LogFields } from './log.js';

const windowMs = 60_000;
/** Lines written in full per window for one peer, message and reason. An ordinary peer never causes more. */
const fullPerKey = 3;
/**
 * Lines written in full per window for one message: about unknown peers together, and about registered cameras
 * together.
 */
const fullOfStrangers = 30;
const fullOfCameras = 1000;
/** Maximum number of peers (with message and reason) that are counted separately; the others are counted together. */
const maxKeys = 1000;
/** The summary names this many peers, those with the most lines. */
const named = 5;

/** Writes the summary at the end of a window. */
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
 * Limits the lines that others can cause in the log: unknown peers, refused publishers, failing targets, calls without
 * permission. The first lines are written in full. More lines with the same message, reason (its code) and peer (an
 * address, an IPv6 /64, a target) are counted, and one line per message reports the count at the end of the minute. A
 * peer that continues is written in full again only after a quiet minute.
 *
 * A line is about a peer when its fields name one: `remote`, `address`, `target`, `receiver`, or a `camera` in a line
 * of the media. Lines about changes by permitted callers are not limited.
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

  /** True if the line is to be written; otherwise it was counted. @param fields including those of its logger */
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

  /** Writes the summary now, because the process is about to end. */
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
      this.#write(level, `${plural(counted, 'more line')} "${message}" within ${seconds} s`, {
        lines: counted,
        peers,
        most,
      });
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
