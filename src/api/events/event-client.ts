import type { ServerResponse } from 'node:http';
import type { Figures } from '../../control/live-stats.js';
import type { FeedEvent } from '../../events/event.js';
import type { EventFeed } from '../../events/event-feed.js';
import type { Job } from '../../fairness/turns.js';
import type { FiguresSource } from './event-source.js';

/** Bytes that may wait for one reader beside what it missed, which is sent only as fast as it reads. */
const maxWaitingBytes = 4 * 1024 * 1024;
/** With more unread bytes than this, only urgent messages are sent. */
const enoughWaitingBytes = 64 * 1024;
/** What is sent in one go of what a reader missed. */
const eventsAtOnce = 100;
const camerasAtOnce = 50;

/** What a reader wants to be told. */
export interface EventFilter {
  /** Names of cameras; undefined: all, and what is about none. */
  readonly cameras: ReadonlySet<string> | undefined;
  /** Types (`push.state`) or their first words (`push`); undefined: all. */
  readonly types: ReadonlySet<string> | undefined;
}

/**
 * One reader of server-sent events (WHATWG HTML, section 9.2). What it does not read waits up to a limit; beyond that it
 * is cut off, and may come back with the number of the last event that it got.
 */
export class EventClient {
  readonly #response: ServerResponse;
  readonly #filter: EventFilter;
  readonly #mayGoOn: () => boolean;
  readonly #unknown: () => readonly string[];
  /** Cameras of which the reader needs all figures before it can use changes; undefined: of all that there are. */
  #owed: Set<string> | undefined;
  #isPaying = false;

  /**
   * @param mayGoOn false once the reader's token was revoked or has ended
   * @param unknown the nodes whose events are missing
   */
  constructor(
    response: ServerResponse,
    filter: EventFilter,
    mayGoOn: () => boolean = () => true,
    unknown: () => readonly string[] = () => [],
  ) {
    this.#unknown = unknown;
    this.#response = response;
    this.#filter = filter;
    this.#mayGoOn = mayGoOn;
  }

  /** False once it was ended or disconnected. */
  get isOpen(): boolean {
    return !this.#response.writableEnded && !this.#response.destroyed;
  }

  /** Writes the event, if the reader wants it. `text` is the event in the form of the wire. */
  send(event: FeedEvent, text: string = eventText(event)): void {
    if (this.wants(event)) this.write(text);
  }

  /** The first word: everything that the reader knows of before `id` is to be fetched anew. */
  reset(id: number, reason: 'new' | 'expired' | 'unknown'): void {
    const unknown = this.#unknown();
    const data = { id, type: 'reset', reason, ...(unknown.length === 0 ? {} : { unknown }) };
    this.write(`event: reset\nid: ${id}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  /**
   * Sends the events behind `id`, as fast as they are read and in the turns of a job.
   * @param onCaughtUp called when the reader has all that there are, before any other happens
   */
  async catchUp(feed: EventFeed, id: number, job: Job, onCaughtUp: () => void): Promise<void> {
    let at = id;
    while (this.isOpen) {
      const missed = feed.since(at, eventsAtOnce);
      if (missed === undefined) this.reset(feed.newestId, feed.knew(at) ? 'expired' : 'unknown');
      else {
        const wanted = missed.filter((event) => this.wants(event));
        if (wanted.length > 0) this.write(wanted.map(eventText).join(''));
      }
      const last = missed?.at(-1)?.id ?? feed.newestId;
      if (last === feed.newestId) {
        onCaughtUp();
        return;
      }
      at = last;
      await this.#drained();
      await job.turn();
    }
  }

  /**
   * Writes what changed of the figures. Who has not read the last ones gets all figures of the cameras that changed since,
   * once it has read, and as fast as it reads.
   * @param encoded the changes in the form of the wire, for readers without a filter; made once for all
   */
  sendFigures(changes: Figures, encoded: () => Buffer, stats: FiguresSource, job: Job): void {
    const { cameras } = this.#filter;
    const isNew = this.#owed === undefined;
    this.#owed ??= new Set(this.#own(stats.names));
    if (isNew && this.#owed.size > 0) void this.#pay(this.#owed, stats, job);
    else if (this.#owed.size > 0 || this.#response.writableLength > 0) {
      for (const name of this.#own(Object.keys(changes.cameras))) this.#owed.add(name);
      void this.#pay(this.#owed, stats, job);
    } else if (cameras === undefined) this.write(encoded());
    else {
      const own = [...cameras].flatMap((name) =>
        Object.hasOwn(changes.cameras, name) ? [[name, changes.cameras[name] ?? null] as const] : [],
      );
      this.write(figuresText({ ...changes, cameras: Object.fromEntries(own) }));
    }
  }

  /** Keeps proxies from taking the connection for dead; ends it when the caller may not read any more. */
  beat(): void {
    if (!this.#mayGoOn()) this.end();
    else this.write(': still here\n\n');
  }

  end(): void {
    this.#response.end();
  }

  write(text: string | Buffer): void {
    if (!this.isOpen) return;
    if (this.#response.writableLength > maxWaitingBytes) this.#response.destroy();
    else this.#response.write(text);
  }

  async #pay(owed: Set<string>, stats: FiguresSource, job: Job): Promise<void> {
    if (this.#isPaying) return;
    this.#isPaying = true;
    do {
      await this.#drained();
      await job.turn();
      if (!this.isOpen) break;
      const names = first(owed, camerasAtOnce);
      for (const name of names) owed.delete(name);
      this.write(figuresText(stats.figuresOf(names)));
    } while (owed.size > 0);
    this.#isPaying = false;
  }

  /** Resolves when little waits to be read, or the reader is gone. */
  async #drained(): Promise<void> {
    const response = this.#response;
    while (this.isOpen && response.writableLength > enoughWaitingBytes) {
      await new Promise<void>((resolve) => {
        const done = (): void => {
          response.off('drain', done);
          response.off('close', done);
          resolve();
        };
        response.once('drain', done);
        response.once('close', done);
      });
    }
  }

  /** True for an event that passes the filter. */
  wants({ camera, type }: FeedEvent): boolean {
    const { cameras, types } = this.#filter;
    if (cameras !== undefined && (camera === undefined || !cameras.has(camera))) return false;
    return types === undefined || types.has(type) || types.has(type.split('.', 1)[0] ?? '');
  }

  *#own(names: Iterable<string>): Generator<string, void> {
    const { cameras } = this.#filter;
    for (const name of names) if (cameras === undefined || cameras.has(name)) yield name;
  }
}

/** An event in the form of the wire. Its JSON has no line breaks. */
export function eventText({ id, type, json }: FeedEvent): string {
  return `event: ${type}\nid: ${id}\ndata: ${json}\n\n`;
}

/** Figures in the form of the wire; without a number, since there is nothing to resume. */
function figuresText(figures: Figures): string {
  return `event: stats\ndata: ${JSON.stringify(figures)}\n\n`;
}

function first(names: Iterable<string>, count: number): string[] {
  const found: string[] = [];
  for (const name of names) {
    if (found.length === count) break;
    found.push(name);
  }
  return found;
}
