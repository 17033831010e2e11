import { type Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { setHeardTimeout } from '../process/standstill.js';

/** Maximum size of the body of an answer; above it the connection is closed. */
const maxBodyBytes = 64 << 10;

/**
 * One POST over HTTP or HTTPS, of which only the status of the answer counts. Redirects are not followed. The body of the
 * answer is read up to 64 KB and discarded.
 * @param options.agent false: a connection of its own
 * @returns resolves to the status when the answer begins
 * @throws (rejects) Error when the server cannot be reached, or does not answer within the deadline
 */
export function post(
  url: URL,
  options: {
    readonly body: string;
    readonly contentType: string;
    readonly timeoutMs: number;
    readonly agent: Agent | false;
    /** Ends the call. */
    readonly signal?: AbortSignal;
  },
): Promise<number> {
  const { body, contentType, timeoutMs, agent, signal } = options;
  return new Promise((resolve, reject) => {
    const request = url.protocol === 'https:' ? httpsRequest : httpRequest;
    const headers = { 'content-type': contentType, 'content-length': Buffer.byteLength(body) };
    const sent = request(url, { method: 'POST', agent, headers, ...(signal === undefined ? {} : { signal }) });
    const timer = setHeardTimeout(() => {
      sent.destroy(new Error(`no answer within ${timeoutMs} ms`));
    }, timeoutMs);
    sent.once('response', (response) => {
      clearTimeout(timer);
      discard(response, timeoutMs);
      resolve(response.statusCode ?? 0);
    });
    // This listener stays, since an error after the answer would otherwise be uncaught.
    sent.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    sent.end(body);
  });
}

function discard(response: IncomingMessage, timeoutMs: number): void {
  let bytes = 0;
  const timer = setHeardTimeout(() => response.destroy(), timeoutMs);
  timer.unref();
  response.on('data', (data: Buffer) => {
    bytes += data.length;
    if (bytes > maxBodyBytes) response.destroy();
  });
  response.on('error', () => {});
  response.once('close', () => clearTimeout(timer));
}
