import type { ServerResponse } from 'node:http';
import type { Figures } from '../../control/live-stats.js';
import type { FeedEvent } from '../../events/event.js';

/** Bytes that may wait for one reader: all events that are kept, and the figures of a thousand cameras. */
const maxWaitingBytes = 4 * 1024 * 1024;

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
  /** True when figures were left out because the reader was slow: it needs all of them before further changes. */
  #needsAllFigures = true;

  /** @param mayGoOn false once the reader's token was revoked or has ended */
  constructor(response: ServerResponse, filter: EventFilter, mayGoOn: () => boolean = () => true) {
    this.#response = response;
    this.#filter = filter;
    this.#mayGoOn = mayGoOn;
  }

  /** Writes the event, if the reader wants it. `text` is the event in the form of the wire. */
  send(event: FeedEvent, text: string = eventText(event)): void {
    const { cameras, types } = this.#filter;
    if (cameras !== undefined && (event.camera === undefined || !cameras.has(event.camera))) return;
    if (types !== undefined && !types.has(event.type) && !types.has(event.type.split('.', 1)[0] ?? '')) return;
    this.write(text);
  }

  /** The first word: everything that the reader knows of before `id` is to be fetched anew. */
  reset(id: number, reason: 'new' | 'expired' | 'unknown'): void {
    this.write(`event: reset\nid: ${id}\ndata: ${JSON.stringify({ id, type: 'reset', reason })}\n\n`);
  }

  /**
   * Writes what changed of the figures. Nothing waits of them: who has not read the last ones gets none, and later all.
   * @param text the changes, encoded, for readers without a filter; made once for all
   * @param current all figures
   */
  sendFigures(changes: Figures, text: () => string, current: () => Figures): void {
    if (this.#response.writableLength > 0) {
      this.#needsAllFigures = true;
      return;
    }
    if (this.#needsAllFigures) this.write(figuresText(this.#ownFigures(current())));
    else this.write(this.#filter.cameras === undefined ? text() : figuresText(this.#ownFigures(changes)));
    this.#needsAllFigures = false;
  }

  /** Keeps proxies in between from taking the connection for dead; ends it for who may not read any more. */
  beat(): void {
    if (!this.#mayGoOn()) this.end();
    else this.write(': still here\n\n');
  }

  end(): void {
    this.#response.end();
  }

  write(text: string): void {
    if (this.#response.writableEnded || this.#response.destroyed) return;
    if (this.#response.writableLength > maxWaitingBytes) this.#response.destroy();
    else this.#response.write(text);
  }

  #ownFigures(figures: Figures): Figures {
    const { cameras } = this.#filter;
    if (cameras === undefined) return figures;
    const own = Object.entries(figures.cameras).filter(([name]) => cameras.has(name));
    return { ...figures, cameras: Object.fromEntries(own) };
  }
}

/** An event in the form of the wire. Its JSON has no line breaks. */
export function eventText({ id, type, json }: FeedEvent): string {
  return `event: ${type}\nid: ${id}\ndata: ${json}\n\n`;
}

/** Figures in the form of the wire; without a number, since there is nothing to resume. */
export function figuresText(figures: Figures): string {
  return `event: stats\ndata: ${JSON.stringify(figures)}\n\n`;
}
