import { signal } from '@preact/signals';
import { ApiProblem, Client, NoAnswer } from '../../../src/client/index.js';
import { noteServerDate } from '../state/clock.js';

const tokenKey = 'media-aggregator.token';

/** Kept for this tab only: closing it signs out. */
export const token = signal<string | null>(sessionStorage.getItem(tokenKey));
/** Why the server wants a token, in its words; null while it takes what we send. */
export const signInReason = signal<ApiProblem | null>(null);

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
  return new URL(`.${path}`, document.baseURI).href;
}

/** The API v1. What it throws is the server's own word. */
export const api = new Client({
  base: apiUrl('/'),
  token: () => token.value ?? undefined,
  fetch: async (input, init) => noteRefusal(await timed(input, init)),
});

/**
 * Asks for what is no JSON; 304 is an answer, too.
 * @throws ApiProblem with what the server said; NoAnswer
 */
export async function get(
  path: string,
  signal: AbortSignal,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  let response: Response;
  try {
    response = await timed(apiUrl(path), { headers: { ...authHeaders(), ...headers }, signal });
  } catch (cause) {
    throw new NoAnswer('the aggregator does not answer', { cause });
  }
  if (response.ok || response.status === 304) return response;
  await noteRefusal(response);
  throw (await problemOf(response)) ?? new NoAnswer(`the server answers ${response.status}`);
}

/** As `fetch`; the answer says what time it is at the server. */
async function timed(input: string | URL | Request, init?: RequestInit): Promise<Response> {
  const askedMs = Date.now();
  const response = await fetch(input, init);
  noteServerDate(response.headers.get('date'), askedMs, Date.now());
  return response;
}

/** A call that is refused for want of a token has the page ask for one. */
async function noteRefusal(response: Response): Promise<Response> {
  const { status } = response;
  if (status !== 401 && status !== 403) return response;
  const problem = await problemOf(response);
  // CROSS_SITE: by this name of the machine, or from this page, only a token opens.
  if (problem !== undefined && (status === 401 || problem.code === 'CROSS_SITE')) signInReason.value = problem;
  return response;
}

/** The problem document (RFC 9457); undefined for what stands in the way of the aggregator. */
async function problemOf(response: Response): Promise<ApiProblem | undefined> {
  try {
    const { code, detail } = (await response.clone().json()) as Record<string, unknown>;
    return new ApiProblem(response.status, String(code), String(detail), undefined);
  } catch {
    return undefined;
  }
}
