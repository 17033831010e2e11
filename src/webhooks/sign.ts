import { createHmac } from 'node:crypto';

/**
 * The headers of one delivery, in the form of Standard Webhooks (standardwebhooks.com): an id that stays the same over
 * retries, the time of this try in seconds since 1970, and the HMAC-SHA-256 of `ID.TIMESTAMP.BODY`, in base64.
 */
export function signedHeaders(key: Buffer, id: string, body: string, nowMs: number): Record<string, string> {
  const timestamp = String(Math.floor(nowMs / 1000));
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64');
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` };
}
