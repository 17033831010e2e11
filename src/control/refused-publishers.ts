import type { PublisherRefusal } from '../backend/backend.js';
import type { ErrorCode } from '../errors.js';
import type { NewEvent } from '../events/event.js';
import { steadyMs, wallMsOfSteady } from '../process/wall-clock.js';

/** Entries that are kept; of one address, so many. */
const maxEntries = 200;
const maxPerAddress = 20;
/** An entry that goes on is told of again after this. */
const againMs = 300_000;
/** Events in a minute, of all entries. */
const maxEventsPerMinute = 30;

/** Publishers of one address that were refused under one name for one reason. */
export interface RefusedPublisher extends PublisherRefusal {
  readonly count: number;
  /** ISO 8601, UTC. */
  readonly firstAt: string;
  readonly lastAt: string;
}

type Entry = { -readonly [K in keyof RefusedPublisher]: RefusedPublisher[K] } & { toldMs: number };

/**
 * Who was refused as a publisher, newest last: bounded, whatever names a stranger makes up, and told of as events now and
 * then. One entry for each address, name and reason.
 */
export class RefusedPublishers {
  /** In the order in which they were refused last. */
  readonly #entries = new Map<string, Entry>();
  readonly #totals = new Map<ErrorCode, number>();
  readonly #publish: (event: NewEvent) => void;
  #minute = 0;
  #events = 0;

  /** @param publish takes the events */
  constructor(publish: (event: NewEvent) => void) {
    this.#publish = publish;
  }

  /** How many were refused since the start, by code. */
  get totals(): ReadonlyMap<ErrorCode, number> {
    return this.#totals;
  }

  /** Those that are known, newest first. */
  list(): RefusedPublisher[] {
    return [...this.#entries.values()].reverse().map(({ toldMs: _, ...entry }) => entry);
  }

  /** @param isRegistered whether the camera that it meant is one @param nowMs a steady time (process/wall-clock.ts) */
  note(refusal: PublisherRefusal, isRegistered: boolean, nowMs = steadyMs()): void {
    const { address, asked, code } = refusal;
    this.#totals.set(code, (this.#totals.get(code) ?? 0) + 1);
    const name = shown(refusal.name, 80);
    const key = `${address} ${code} ${name}`;
    const at = new Date(wallMsOfSteady(nowMs)).toISOString();
    const known = this.#entries.get(key);
    this.#entries.delete(key);
    const entry: Entry = {
      ...{ address, name, asked, code },
      camera: isRegistered ? refusal.camera : null,
      message: shown(refusal.message, 300),
      encoder: shown(refusal.encoder, 80),
      count: (known?.count ?? 0) + 1,
      firstAt: known?.firstAt ?? at,
      lastAt: at,
      toldMs: known?.toldMs ?? Number.NEGATIVE_INFINITY,
    };
    if (known === undefined) this.#makeRoom(address);
    this.#entries.set(key, entry);
    this.#tell(entry, nowMs);
  }

  /** A camera of this name is registered now, or gone: what was refused for want of it is of the past. */
  forgetName(name: string): void {
    for (const [key, entry] of this.#entries) {
      if (entry.code === 'PUBLISH_NOT_REGISTERED' && entry.name === name) this.#entries.delete(key);
    }
  }

  #makeRoom(address: string): void {
    const own = [...this.#entries].filter(([, entry]) => entry.address === address);
    if (own.length >= maxPerAddress) this.#entries.delete(own[0]![0]);
    const [oldest] = this.#entries.keys();
    if (this.#entries.size >= maxEntries && oldest !== undefined) this.#entries.delete(oldest);
  }

  #tell(entry: Entry, nowMs: number): void {
    if (nowMs - entry.toldMs < againMs) return;
    const minute = Math.floor(nowMs / 60_000);
    if (minute !== this.#minute) {
      this.#minute = minute;
      this.#events = 0;
    }
    if (this.#events++ >= maxEventsPerMinute) return;
    entry.toldMs = nowMs;
    const { address, name, camera, asked, code, message, encoder, count } = entry;
    this.#publish({
      type: 'publisher.refused',
      ...(camera === null ? {} : { camera }),
      code,
      facts: { address, name, asked, message, encoder, count },
    });
  }
}

/** What a stranger says, as it may be shown. */
function shown(text: string, length: number): string {
  return text.slice(0, length).replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, '?');
}
