import { type Operations, routes } from './operations.js';

/** The id of an operation, as in the OpenAPI document: `listCameras`. */
export type OperationId = keyof Operations;
type Operation<K extends OperationId> = Operations[K];
/** What an operation takes: `path`, `query` and `body`, as far as it has them. */
export type Input<K extends OperationId> = Omit<Operation<K>, 'answer'>;
export type Answer<K extends OperationId> = Operation<K>['answer'];

export interface ClientOptions {
  /** `http://HOST:5000`; in a page of the aggregator itself, an empty text. */
  readonly base: string;
  /** Sent as bearer; a function is asked before each call. Undefined: none is sent. */
  readonly token?: string | (() => string | undefined) | undefined;
  /** In place of the global `fetch`. */
  readonly fetch?: typeof fetch;
  /** Longest that one try may take, milliseconds; 15 s. */
  readonly timeoutMs?: number;
  /** How often a call that was refused for its rate (429) is made again, after as long as the answer says; 5. */
  readonly retries?: number;
}

export interface CallOptions {
  /** Only when what is changed has this entity tag. */
  readonly ifMatch?: string;
  /** `*`: only when it does not exist. */
  readonly ifNoneMatch?: string;
  readonly signal?: AbortSignal;
  /** Longest that one try of this call may take, milliseconds, in place of that of the client. */
  readonly timeoutMs?: number;
}

export interface Reply<T> {
  readonly status: number;
  readonly body: T;
  /** The entity tag of what was declared, for `ifMatch`; null: there is none. */
  readonly etag: string | null;
}

/** What the API refused: a problem document (RFC 9457). */
export class ApiProblem extends Error {
  readonly status: number;
  /** See docs/errors.md; of a newer aggregator it may be one that is not known here. */
  readonly code: string;
  readonly field: string | undefined;

  constructor(status: number, code: string, message: string, field: string | undefined) {
    super(message);
    this.name = 'ApiProblem';
    this.status = status;
    this.code = code;
    this.field = field;
  }
}

/** No answer, or none of an aggregator. */
export class NoAnswer extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'NoAnswer';
  }
}

const defaultTimeoutMs = 15_000;
const defaultRetries = 5;
const longestPauseMs = 30_000;

/** The arguments of a call: what has no required part may be left out. */
type Arguments<K extends OperationId> =
  Record<never, never> extends Input<K>
    ? [input?: Input<K>, options?: CallOptions]
    : [input: Input<K>, options?: CallOptions];

/** Operations that answer in pages. */
type PagedId = {
  [K in OperationId]: Answer<K> extends { readonly items: readonly unknown[]; readonly next: string | null }
    ? K
    : never;
}[OperationId];
type Item<K extends PagedId> = Answer<K> extends { readonly items: readonly (infer T)[] } ? T : never;

/** A client of v1, typed by the OpenAPI document. Runs in Node.js and in browsers. */
export class Client {
  readonly #options: ClientOptions;
  readonly #base: string;

  /** @throws TypeError for a base that is no address of http or https */
  constructor(options: ClientOptions) {
    this.#options = options;
    this.#base = checkedBase(options.base);
  }

  /**
   * Makes one call: `await client.call('getCamera', { path: { name: 'gate-1' } })`.
   * @throws ApiProblem what the API refused; NoAnswer; TypeError for an operation that there is none of, or that lacks a
   *   part of its path
   */
  async call<K extends OperationId>(id: K, ...[input, options]: Arguments<K>): Promise<Reply<Answer<K>>> {
    const [method, template] = routeOf(id);
    const { path, query, body } = (input ?? {}) as { path?: object; query?: object; body?: unknown };
    const url = this.#base + fillPath(id, template, path ?? {}) + queryOf(query ?? {});
    const retries = this.#options.retries ?? defaultRetries;
    for (let tries = 0; ; tries += 1) {
      const response = await this.#fetch(url, method, body, options ?? {});
      if (response.status === 429 && tries < retries) {
        await pause(response.headers.get('retry-after'), options?.signal);
        continue;
      }
      return readReply<Answer<K>>(response, `${this.#base} answers ${method} ${template}`);
    }
  }

  /**
   * Begins a call whose answer has no end: `await client.open('followEvents', { query: { types: 'push' } })`. The body is
   * for the caller to read; `options.signal` ends it. The timeout of the client holds for the beginning of the answer.
   * @throws as `call`
   */
  async open<K extends OperationId>(id: K, ...[input, options]: Arguments<K>): Promise<Response> {
    const [method, template] = routeOf(id);
    const { path, query } = (input ?? {}) as { path?: object; query?: object };
    const url = this.#base + fillPath(id, template, path ?? {}) + queryOf(query ?? {});
    const late = new AbortController();
    const timer = setTimeout(
      () => late.abort(new DOMException('nothing came in time', 'TimeoutError')),
      this.#options.timeoutMs ?? defaultTimeoutMs,
    );
    try {
      const signal = options?.signal === undefined ? late.signal : either(options.signal, late.signal);
      const response = await this.#send(url, method, undefined, options ?? {}, signal);
      // Throws what it says.
      if (!response.ok) await readReply(response, `${this.#base} answers ${method} ${template}`);
      return response;
    } finally {
      clearTimeout(timer);
    }
  }

  /** All items of all pages, one after the other. @throws as `call` */
  async *each<K extends PagedId>(id: K, input: Input<K>, options?: CallOptions): AsyncGenerator<Item<K>, undefined> {
    let after: string | null | undefined;
    do {
      const { query = {} } = input as { query?: object };
      const paged = { ...input, query: { ...query, ...(after == null ? {} : { after }) } };
      const { body } = await this.call(id, ...([paged, options] as unknown as Arguments<K>));
      const page = body as { readonly items: readonly Item<K>[]; readonly next: string | null };
      yield* page.items;
      after = page.next;
    } while (after !== null && after !== undefined);
    return undefined;
  }

  async #fetch(url: string, method: string, body: unknown, options: CallOptions): Promise<Response> {
    const { signal, timeoutMs = this.#options.timeoutMs ?? defaultTimeoutMs } = options;
    const timeout = AbortSignal.timeout(timeoutMs);
    return this.#send(url, method, body, options, signal === undefined ? timeout : either(signal, timeout));
  }

  async #send(
    url: string,
    method: string,
    body: unknown,
    options: CallOptions,
    signal: AbortSignal,
  ): Promise<Response> {
    const { token, fetch: ask = fetch } = this.#options;
    const bearer = typeof token === 'function' ? token() : token;
    const headers: Record<string, string> = {
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(bearer === undefined || bearer === '' ? {} : { authorization: `Bearer ${bearer}` }),
      ...(options.ifMatch === undefined ? {} : { 'if-match': options.ifMatch }),
      ...(options.ifNoneMatch === undefined ? {} : { 'if-none-match': options.ifNoneMatch }),
    };
    try {
      return await ask(url, {
        method,
        headers,
        signal,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    } catch (error) {
      throw new NoAnswer(`${this.#base || 'the aggregator'} does not answer`, { cause: error });
    }
  }
}

/** AbortSignal.any, which Node.js has from 20.3 on. */
function either(first: AbortSignal, second: AbortSignal): AbortSignal {
  const controller = new AbortController();
  for (const signal of [first, second]) {
    if (signal.aborted) controller.abort(signal.reason);
    else signal.addEventListener('abort', () => controller.abort(signal.reason), { once: true });
  }
  return controller.signal;
}

/** An empty text, or a path, is meant in pages: it is completed by the address of the page. */
function checkedBase(base: string): string {
  if (typeof base !== 'string') throw new TypeError('base: must be a text such as "http://HOST:5000"');
  if (base !== '' && !base.startsWith('/')) {
    // Before URL reads it: it takes "localhost:" for a scheme.
    if (!/^https?:\/\//i.test(base)) {
      const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(base)?.[1];
      const wrong = scheme === undefined ? 'has no scheme' : `has the scheme "${scheme}"`;
      const right = `http://${base.slice(scheme === undefined ? 0 : scheme.length + 3)}`;
      throw new TypeError(`base: "${base}" ${wrong}; write "${right}" or https`);
    }
    if (!URL.canParse(base)) throw new TypeError(`base: "${base}" is no URL; write it like "http://HOST:5000"`);
    const { search, hash } = new URL(base);
    if (search !== '' || hash !== '') throw new TypeError(`base: "${base}" must end with its path`);
  }
  return base.replace(/\/+$/, '');
}

function routeOf(id: string): readonly [method: string, path: string] {
  if (Object.hasOwn(routes, id)) return routes[id as OperationId];
  const [near] = Object.keys(routes)
    .map((known) => ({ known, steps: distance(known.toLowerCase(), String(id).toLowerCase()) }))
    .filter(({ steps }) => steps <= 3)
    .sort((left, right) => left.steps - right.steps);
  const advice = near === undefined ? 'the type OperationId names all' : `did you mean "${near.known}"?`;
  throw new TypeError(`"${String(id)}" is no operation of this API; ${advice}`);
}

/** How many letters must be added, removed or changed (Levenshtein); of long texts, how much longer one is. */
function distance(one: string, other: string): number {
  if (Math.abs(one.length - other.length) > 3) return Math.abs(one.length - other.length);
  let before = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let row = 1; row <= one.length; row += 1) {
    const now = [row];
    for (let column = 1; column <= other.length; column += 1) {
      const change = (before[column - 1] ?? 0) + (one[row - 1] === other[column - 1] ? 0 : 1);
      now.push(Math.min((now[column - 1] ?? 0) + 1, (before[column] ?? 0) + 1, change));
    }
    before = now;
  }
  return before[other.length] ?? 0;
}

function fillPath(id: string, template: string, values: object): string {
  return template.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value: unknown = Object.hasOwn(values, name) ? Reflect.get(values, name) : undefined;
    if (typeof value !== 'string') throw new TypeError(`${id}: path.${name} is missing`);
    return encodeURIComponent(value);
  });
}

function queryOf(query: object): string {
  const entries = Object.entries(query).filter(([, value]) => value !== undefined);
  return entries.length === 0
    ? ''
    : `?${entries.map(([key, value]) => `${encodeURIComponent(key)}=${encodeURIComponent(String(value))}`).join('&')}`;
}

async function pause(retryAfter: string | null, signal: AbortSignal | undefined): Promise<void> {
  const seconds = Number(retryAfter ?? '1');
  const ms = Math.min(longestPauseMs, (Number.isFinite(seconds) ? Math.max(0, seconds) : 1) * 1000);
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener('abort', () => {
      clearTimeout(timer);
      reject(new NoAnswer('the call was given up', { cause: signal.reason }));
    });
  });
}

async function readReply<T>(response: Response, what: string): Promise<Reply<T>> {
  const { status } = response;
  let text: string;
  try {
    text = await response.text();
  } catch (error) {
    throw new NoAnswer(`${what} with half an answer`, { cause: error });
  }
  const body = parse(text);
  if (!response.ok) throw problemOf(status, body, what);
  // 204 says that there is nothing; whatever else answers without JSON is no aggregator, and did nothing that was asked.
  if (body === undefined && (text !== '' || status !== 204))
    throw new NoAnswer(`${what} with something other than JSON`);
  return { status, body: body as T, etag: response.headers.get('etag') };
}

function problemOf(status: number, body: unknown, what: string): Error {
  if (typeof body !== 'object' || body === null || !('code' in body) || typeof body.code !== 'string') {
    return new NoAnswer(`${what} with ${status}, but not as an aggregator does`);
  }
  const detail = 'detail' in body ? body.detail : 'title' in body ? body.title : '';
  const field = 'field' in body && typeof body.field === 'string' ? body.field : undefined;
  return new ApiProblem(status, body.code, String(detail), field);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
