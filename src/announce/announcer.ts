import { CodedError, messageOf } from '../errors.js';
import type { Logger } from '../log/log.js';
import { post } from '../net/post.js';

/** How the content manager took the announcement, for /v1/config. */
export interface AnnouncementView {
  /** Where it is sent: `http://HOST:50000/configure`. */
  readonly url: string;
  /** `announcing`: a try is under way. `accepted`: answered with 2xx. `waiting`: the last try failed, another follows. */
  readonly state: 'announcing' | 'accepted' | 'waiting';
  /** Since when it is accepted, or is not. */
  readonly since: string;
  /** What is announced as this aggregator's API: `HOST:PORT`. */
  readonly address: string;
  /** How many tries in a row failed. */
  readonly attempt: number;
  readonly lastError: { readonly code: string; readonly message: string; readonly at: string } | null;
  readonly nextRetryAt: string | null;
}

export interface AnnouncerOptions {
  /** The content manager: `http://HOST:50000`, with a path where it lies behind one. */
  readonly contentManager: string;
  /** What the content manager knows this aggregator by. */
  readonly name: string;
  /** Where this aggregator is; undefined: nobody said it. */
  readonly location: string | undefined;
  /** `HOST:PORT` of this aggregator's API now, an IPv6 address in brackets. */
  readonly address: () => string;
  readonly log: Logger;
  readonly timing?: Partial<AnnouncerTiming>;
}

export interface AnnouncerTiming {
  /** Longest that one try may take, from the look-up of the name to the status line. */
  readonly timeoutMs: number;
  /** Wait after the first failure; doubles with each further one. */
  readonly retryMinMs: number;
  readonly retryMaxMs: number;
  /** How often it is looked whether the address has changed. */
  readonly checkIntervalMs: number;
}

const defaultAnnouncerTiming: AnnouncerTiming = {
  timeoutMs: 5_000,
  retryMinMs: 1_000,
  retryMaxMs: 60_000,
  checkIntervalMs: 5_000,
};

/** What is announced where no location is set; the content manager expects one. */
const defaultLocation = 'default';

/**
 * Tells the content manager that this aggregator is there, and where: at once, again until it is accepted, and again
 * when the address changes. Nothing waits for it, and whatever the content manager does costs one request at a time.
 *
 *     start --> announcing --2xx--> accepted --address changes--> announcing
 *                 |    ^
 *                 +----+ anything else: waiting, 1 s to 60 s
 */
export class Announcer {
  readonly #options: AnnouncerOptions;
  readonly #timing: AnnouncerTiming;
  readonly #url: URL;
  readonly #log: Logger;
  #state: AnnouncementView['state'] = 'announcing';
  #since = new Date().toISOString();
  #address: string;
  #attempt = 0;
  #lastError: AnnouncementView['lastError'] = null;
  #nextRetryAt: string | null = null;
  #retry: NodeJS.Timeout | undefined;
  #check: NodeJS.Timeout | undefined;
  /** Ends the try that is under way. */
  #abort: AbortController | undefined;
  #isClosed = false;

  constructor(options: AnnouncerOptions) {
    this.#options = options;
    this.#timing = { ...defaultAnnouncerTiming, ...options.timing };
    this.#url = new URL(`${options.contentManager.replace(/\/+$/, '')}/configure`);
    this.#log = options.log;
    this.#address = options.address();
  }

  get view(): AnnouncementView {
    return {
      url: this.#url.href,
      state: this.#state,
      since: this.#since,
      address: this.#address,
      attempt: this.#attempt,
      lastError: this.#lastError,
      nextRetryAt: this.#nextRetryAt,
    };
  }

  /** Begins; returns at once. */
  start(): void {
    this.#check = setInterval(() => this.#checkAddress(), this.#timing.checkIntervalMs);
    this.#check.unref();
    this.#announce();
  }

  /** Ends a try that is under way; nothing follows. */
  close(): void {
    this.#isClosed = true;
    clearInterval(this.#check);
    clearTimeout(this.#retry);
    this.#abort?.abort();
  }

  #checkAddress(): void {
    const address = this.#options.address();
    if (address === this.#address) return;
    this.#log.info('the address of this aggregator has changed; it is announced again', {
      from: this.#address,
      to: address,
    });
    this.#address = address;
    this.#attempt = 0;
    this.#announce();
  }

  /** A try that is under way already is of an older address and ends. */
  #announce(): void {
    clearTimeout(this.#retry);
    this.#nextRetryAt = null;
    this.#abort?.abort();
    const abort = new AbortController();
    this.#abort = abort;
    this.#setState('announcing');
    const { name, location = defaultLocation } = this.#options;
    const body = { Aggregators: [{ name, location, ip: this.#address }], StreamingEngines: [] };
    send(this.#url, JSON.stringify(body), abort.signal, this.#timing.timeoutMs).then(
      () => {
        if (!abort.signal.aborted) this.#accepted();
      },
      (error: unknown) => {
        if (!abort.signal.aborted) this.#failed(error);
      },
    );
  }

  #accepted(): void {
    this.#attempt = 0;
    this.#lastError = null;
    this.#setState('accepted');
    this.#log.info('the content manager knows this aggregator', { url: this.#url.href, address: this.#address });
  }

  #failed(error: unknown): void {
    if (this.#isClosed) return;
    const code = error instanceof CodedError ? error.code : 'INTERNAL';
    const message = messageOf(error);
    // The same failure again is no news.
    if (this.#lastError?.message !== message) {
      this.#log.warn('the content manager did not accept the announcement; it is retried', { code, error: message });
    }
    this.#lastError = { code, message, at: new Date().toISOString() };
    this.#setState('waiting');
    const { retryMinMs, retryMaxMs } = this.#timing;
    const longest = Math.min(retryMaxMs, retryMinMs * 2 ** Math.min(this.#attempt, 30));
    this.#attempt += 1;
    // Half of it by chance, so that many aggregators do not come back at the same moment.
    const waitMs = Math.round(longest * (0.5 + Math.random() / 2));
    this.#nextRetryAt = new Date(Date.now() + waitMs).toISOString();
    this.#retry = setTimeout(() => this.#announce(), waitMs);
    this.#retry.unref();
  }

  #setState(state: AnnouncementView['state']): void {
    // From one try to the next nothing has changed for who looks at it.
    if ((state === 'accepted') !== (this.#state === 'accepted')) this.#since = new Date().toISOString();
    this.#state = state;
  }
}

/** @throws CodedError CONTENT_MANAGER_UNREACHABLE or CONTENT_MANAGER_REFUSED */
async function send(url: URL, body: string, signal: AbortSignal, timeoutMs: number): Promise<void> {
  const options = { contentType: 'application/json', body, timeoutMs, agent: false as const, signal };
  const status = await post(url, options).catch((error: unknown) => {
    const message = `${url.href} cannot be reached: ${messageOf(error)}.`;
    throw new CodedError('CONTENT_MANAGER_UNREACHABLE', message, { cause: error });
  });
  if (status >= 200 && status <= 299) return;
  const hint = status >= 300 && status <= 399 ? '; redirects are not followed' : '';
  throw new CodedError('CONTENT_MANAGER_REFUSED', `${url.href} answers ${status}, not 200${hint}.`);
}
