import type { FeedEvent } from '../events/event.js';
import type { Logger } from '../log/log.js';
import { setHeardTimeout } from '../process/standstill.js';
import { wallMsAt } from '../process/wall-clock.js';
import { deliver } from './delivery.js';
import { signedHeaders } from './sign.js';

/** How one receiver is treated. */
export interface WebhookTiming {
  /** Longest that one try may take. */
  readonly timeoutMs: number;
  /** Pause after the first failure; doubles with each further one, each a quarter longer or shorter by chance. */
  readonly retryMinMs: number;
  readonly retryMaxMs: number;
  /** An event that could not be delivered for so long is dropped. */
  readonly maxAgeMs: number;
  /** Events that may wait. */
  readonly maxWaiting: number;
  /** Deliveries at once, of different cameras. */
  readonly atOnce: number;
}

const defaultWebhookTiming: WebhookTiming = {
  timeoutMs: 10_000,
  retryMinMs: 1_000,
  retryMaxMs: 60_000,
  maxAgeMs: 3_600_000,
  maxWaiting: 5_000,
  atOnce: 8,
};

/** How a receiver takes its events, for /v1/config and /metrics. */
export interface WebhookView {
  readonly url: string;
  /** `ready`: the last try went well, or none was made yet. `waiting`: it failed, and another follows. */
  readonly state: 'ready' | 'waiting';
  /** Since when it is in this state: ISO 8601, UTC. */
  readonly since: string;
  readonly waiting: number;
  readonly delivered: number;
  /** Tries that failed, ever. */
  readonly failures: number;
  /** Events that it never got: more than may wait, too old, or refused by it. */
  readonly dropped: { readonly full: number; readonly expired: number; readonly refused: number };
  readonly lastError: { readonly message: string; readonly at: string } | null;
  readonly nextRetryAt: string | null;
}

interface Waiting {
  readonly event: FeedEvent;
  /** By `performance.now()`: whoever sets the clock drops no event. */
  readonly atMs: number;
}

/**
 * One receiver of events. Those of one camera (and those of none) go in order, one at a time; different cameras go side by
 * side. One that fails is left alone for a while, and then tried with a single event until it takes that.
 */
export class WebhookReceiver {
  readonly #url: string;
  readonly #key: Buffer;
  readonly #log: Logger;
  readonly #timing: WebhookTiming;
  /** By camera; the first of each may be on its way. */
  readonly #lanes = new Map<string, Waiting[]>();
  /** Lanes that have something and send nothing. */
  readonly #ready: string[] = [];
  readonly #underWay = new Set<AbortController>();
  #waiting = 0;
  #delivered = 0;
  #failures = 0;
  readonly #dropped = { full: 0, expired: 0, refused: 0 };
  /** Of these the receiver was not told yet. */
  #untold = 0;
  #failedInRow = 0;
  #since = new Date().toISOString();
  #lastError: WebhookView['lastError'] = null;
  #retryTimer: NodeJS.Timeout | null = null;
  #nextRetryMs = 0;
  #isClosed = false;

  constructor(options: { url: string; key: Buffer; log: Logger; timing?: Partial<WebhookTiming> }) {
    this.#url = options.url;
    this.#key = options.key;
    this.#log = options.log.child({ receiver: options.url });
    this.#timing = { ...defaultWebhookTiming, ...options.timing };
  }

  get view(): WebhookView {
    return {
      url: this.#url,
      state: this.#failedInRow > 0 ? 'waiting' : 'ready',
      since: this.#since,
      waiting: this.#waiting,
      delivered: this.#delivered,
      failures: this.#failures,
      dropped: { ...this.#dropped },
      lastError: this.#lastError,
      nextRetryAt: this.#retryTimer === null ? null : new Date(wallMsAt(this.#nextRetryMs)).toISOString(),
    };
  }

  offer(event: FeedEvent): void {
    if (this.#isClosed) return;
    if (this.#waiting >= this.#timing.maxWaiting) {
      this.#drop('full');
      return;
    }
    const name = event.camera ?? '';
    const lane = this.#lanes.get(name);
    const entry = { event, atMs: performance.now() };
    if (lane === undefined) {
      this.#lanes.set(name, [entry]);
      this.#ready.push(name);
    } else lane.push(entry);
    this.#waiting++;
    this.#pump();
  }

  /** Nothing is sent any more; what waits is forgotten. */
  close(): void {
    this.#isClosed = true;
    if (this.#retryTimer !== null) clearTimeout(this.#retryTimer);
    for (const controller of this.#underWay) controller.abort('the aggregator stops');
  }

  #pump(): void {
    if (this.#isClosed || this.#retryTimer !== null) return;
    const atOnce = this.#failedInRow > 0 ? 1 : this.#timing.atOnce;
    while (this.#underWay.size < atOnce) {
      const name = this.#ready.shift();
      if (name === undefined) return;
      const entry = this.#firstOf(name);
      if (entry !== undefined) void this.#send(name, entry);
    }
  }

  /** The first of a lane that is not too old; a lane that has none is gone. */
  #firstOf(name: string): Waiting | undefined {
    const lane = this.#lanes.get(name) ?? [];
    const oldestMs = performance.now() - this.#timing.maxAgeMs;
    while (lane.length > 0 && lane[0]!.atMs < oldestMs) {
      lane.shift();
      this.#waiting--;
      this.#drop('expired');
    }
    if (lane.length === 0) this.#lanes.delete(name);
    return lane[0];
  }

  async #send(name: string, { event }: Waiting): Promise<void> {
    const controller = new AbortController();
    this.#underWay.add(controller);
    const { timeoutMs } = this.#timing;
    const timer = setHeardTimeout(() => controller.abort(`no answer within ${timeoutMs / 1000} s`), timeoutMs);
    const told = this.#untold;
    const headers = {
      ...signedHeaders(this.#key, `event-${event.id}`, event.json, Date.now()),
      'content-type': 'application/json',
      'user-agent': 'media-aggregator',
      ...(told > 0 ? { 'webhook-dropped': String(told) } : {}),
    };
    const outcome = await deliver(this.#url, headers, event.json, controller.signal);
    clearTimeout(timer);
    this.#underWay.delete(controller);
    if (this.#isClosed) return;
    if (outcome.kind === 'failed') {
      this.#ready.unshift(name);
      this.#noteFailure(outcome.reason, outcome.retryAfterMs);
      return;
    }
    this.#lanes.get(name)?.shift();
    this.#waiting--;
    if (outcome.kind === 'taken') {
      this.#delivered++;
      this.#untold -= told;
    } else {
      this.#lastError = { message: outcome.reason, at: new Date().toISOString() };
      // Once: a receiver that refuses one event mostly refuses all.
      if (this.#dropped.refused === 0) this.#log.warn('a webhook receiver rejects events', { reason: outcome.reason });
      this.#drop('refused');
    }
    this.#noteAnswer();
    if ((this.#lanes.get(name)?.length ?? 0) > 0) this.#ready.push(name);
    else this.#lanes.delete(name);
    this.#pump();
  }

  #noteAnswer(): void {
    if (this.#failedInRow === 0) return;
    this.#failedInRow = 0;
    this.#since = new Date().toISOString();
    this.#log.info('a webhook receiver accepts events again', { waiting: this.#waiting, dropped: this.#dropped });
  }

  #noteFailure(reason: string, retryAfterMs: number): void {
    this.#failures++;
    this.#lastError = { message: reason, at: new Date().toISOString() };
    // Those that were on their way beside it fail for the same reason.
    if (this.#retryTimer !== null) return;
    if (this.#failedInRow++ === 0) {
      this.#since = this.#lastError.at;
      this.#log.warn('a webhook receiver does not accept events; they are queued', { reason });
    }
    const { retryMinMs, retryMaxMs } = this.#timing;
    const pauseMs = Math.min(retryMaxMs, retryMinMs * 2 ** Math.min(this.#failedInRow - 1, 30));
    const waitMs = Math.max(retryAfterMs, pauseMs * (0.75 + Math.random() / 2));
    this.#nextRetryMs = performance.now() + waitMs;
    this.#retryTimer = setTimeout(() => {
      this.#retryTimer = null;
      this.#pump();
    }, waitMs).unref();
  }

  #drop(why: 'full' | 'expired' | 'refused'): void {
    if (why === 'full' && this.#dropped.full === 0) {
      this.#log.warn('the queue of a webhook receiver is full; events are dropped', { waiting: this.#waiting });
    }
    this.#dropped[why]++;
    if (why !== 'refused') this.#untold++;
  }
}
