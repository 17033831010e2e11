import { signal } from '@preact/signals';

/** A failure in the server's own words. */
export class ApiError extends Error {
  /** HTTP status; 0: no answer came. */
  readonly status: number;
  readonly code: string;
  readonly field: string | undefined;

  constructor(status: number, code: string, message: string, field?: string) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
    this.code = code;
    this.field = field;
  }
}

const tokenKey = 'media-aggregator.token';
const requestTimeoutMs = 20_000;

/** Kept for this tab only: closing it signs out. */
export const token = signal<string | null>(sessionStorage.getItem(tokenKey));
/** Why the server wants a token, in its words; null while it takes what we send. */
export const signInReason = signal<ApiError | null>(null);

export function setToken(value: string | null): void {
  if (value === null) sessionStorage.removeItem(tokenKey);
  else sessionStorage.setItem(tokenKey, value);
  token.value = value;
}

/** Headers that say who asks. */
export function authHeaders(): Record<string, string> {
  return token.value === null ? {} : { authorization: `Bearer ${token.value}` };
}

/** Where the API is: beside the page, wherever a proxy put both. */
export function apiUrl(path: string): string {
  return new URL(`.${path}`, document.baseURI).href.replace(/#.*$/, '');
}

export interface RequestOptions {
  readonly body?: unknown;
  readonly signal?: AbortSignal;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Asks v1. @throws ApiError with what the server said, or with status 0 when it did not answer */
export async function request<T>(method: string, path: string, options: RequestOptions = {}): Promise<T> {
  const response = await send(method, path, options);
  const text = await response.text();
  if (text === '') return undefined as T;
  try {
    return JSON.parse(text) as T;
  } catch {
    throw new ApiError(response.status, 'INTERNAL', `the answer to ${method} ${path} is no JSON`);
  }
}

/** As `request`, for answers that are no JSON; 304 is an answer, too. */
export async function send(method: string, path: string, options: RequestOptions = {}): Promise<Response> {
  const headers = { ...authHeaders(), ...options.headers };
  if (options.body !== undefined) Object.assign(headers, { 'content-type': 'application/json' });
  let response: Response;
  try {
    response = await fetch(apiUrl(path), {
      method,
      headers,
      signal: options.signal ?? AbortSignal.timeout(requestTimeoutMs),
      credentials: 'same-origin',
      ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
    });
  } catch (error) {
    if (options.signal?.aborted === true) throw error;
    throw new ApiError(0, 'API_UNREACHABLE', 'The aggregator does not answer.');
  }
  if (response.ok || response.status === 304) return response;
  const problem = await problemOf(response);
  // CROSS_SITE: by this name of the machine, or from this page, only a token opens.
  if (problem.status === 401 || problem.code === 'CROSS_SITE') signInReason.value = problem;
  throw problem;
}

/** RFC 9457, or whatever stands in the way of the aggregator. */
async function problemOf(response: Response): Promise<ApiError> {
  const { status } = response;
  try {
    const body: unknown = await response.json();
    if (typeof body === 'object' && body !== null) {
      const { code, detail, error, field } = body as Record<string, unknown>;
      const message = typeof detail === 'string' ? detail : typeof error === 'string' ? error : response.statusText;
      const where = typeof field === 'string' ? field : undefined;
      return new ApiError(status, typeof code === 'string' ? code : 'INTERNAL', message, where);
    }
  } catch {
    // No JSON: the status has to do.
  }
  return new ApiError(status, 'INTERNAL', `The server answers ${status} ${response.statusText}`.trim());
}

/** All pages of a list. */
export async function requestAll<T>(path: string): Promise<T[]> {
  const items: T[] = [];
  let after: string | null = null;
  do {
    const query: string = after === null ? '?limit=1000' : `?limit=1000&after=${encodeURIComponent(after)}`;
    const page: { items: readonly T[]; next: string | null } = await request('GET', path + query);
    items.push(...page.items);
    after = page.next;
  } while (after !== null);
  return items;
}
