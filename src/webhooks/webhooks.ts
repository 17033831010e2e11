import type { EventFeed } from '../events/event-feed.js';
import type { Logger } from '../log/log.js';
import { WebhookReceiver, type WebhookTiming, type WebhookView } from './receiver.js';

/** Sends every event of the feed to the receivers that the operator named. Nothing waits for them. */
export class Webhooks {
  readonly #receivers: readonly WebhookReceiver[];
  readonly #types: ReadonlySet<string> | undefined;
  readonly #feed: EventFeed;
  #unfollow: (() => void) | null = null;

  constructor(options: {
    urls: readonly string[];
    /** Types, or their first words; undefined: all. */
    types?: readonly string[] | undefined;
    /** What deliveries are signed with. */
    key: Buffer;
    feed: EventFeed;
    log: Logger;
    timing?: Partial<WebhookTiming>;
  }) {
    const { urls, key, log, timing = {} } = options;
    this.#receivers = [...new Set(urls)].map((url) => new WebhookReceiver({ url, key, log, timing }));
    this.#types = options.types === undefined ? undefined : new Set(options.types);
    this.#feed = options.feed;
  }

  get views(): readonly WebhookView[] {
    return this.#receivers.map(({ view }) => view);
  }

  start(): void {
    this.#unfollow ??= this.#feed.subscribe((event) => {
      if (this.#types?.has(event.type) === false && !this.#types.has(event.type.split('.', 1)[0] ?? '')) return;
      for (const receiver of this.#receivers) receiver.offer(event);
    });
  }

  close(): void {
    this.#unfollow?.();
    for (const receiver of this.#receivers) receiver.close();
  }
}
