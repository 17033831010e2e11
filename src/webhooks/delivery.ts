import { messageOf } from '../errors.js';

/** What became of one try. */
export type Outcome =
  | { readonly kind: 'taken' }
  /** The receiver will never take it: it is not tried again. */
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'failed'; readonly reason: string; readonly retryAfterMs: number };

/** Refusals that say "later" (RFC 9110; 425 is RFC 8470's, 429 RFC 6585's). */
const laterStatuses: ReadonlySet<number> = new Set([408, 425, 429]);

const maxRetryAfterSeconds = 600;

/** Sends one body. Never rejects; the answer's body is not read. Redirects are not followed: nobody named their targets. */
export async function deliver(
  url: string,
  headers: Readonly<Record<string, string>>,
  body: string,
  signal: AbortSignal,
): Promise<Outcome> {
  let response: Response;
  try {
    response = await fetch(url, { method: 'POST', headers, body, redirect: 'manual', signal });
  } catch (error) {
    return { kind: 'failed', reason: signal.aborted ? String(signal.reason) : reasonOf(error), retryAfterMs: 0 };
  }
  void response.body?.cancel().catch(() => {});
  const { status } = response;
  if (status >= 200 && status < 300) return { kind: 'taken' };
  const reason = `answered ${status}`;
  if (status < 500 && !laterStatuses.has(status)) return { kind: 'refused', reason };
  const seconds = /^\d{1,9}$/.exec(response.headers.get('retry-after') ?? '')?.[0] ?? '0';
  return { kind: 'failed', reason, retryAfterMs: Math.min(Number(seconds), maxRetryAfterSeconds) * 1000 };
}

/** `fetch failed` says nothing; its cause does. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const code: unknown = cause instanceof Error ? Reflect.get(cause, 'code') : undefined;
  return typeof code === 'string' ? code : messageOf(cause);
}
