import { once } from 'node:events';
import { request } from 'node:http';
import type { Socket } from 'node:net';
import { Readable } from 'node:stream';

/** An answer is what the API says of all its cameras; anything larger is none of an aggregator. */
const maxAnswerBytes = 256 << 20;

/** One HTTP request by a connection that is open, and of which the other end was looked at. */
export async function exchange(socket: Socket, url: URL, init: RequestInit): Promise<Response> {
  const { method = 'GET', headers, body, signal } = init;
  const sent = request({
    createConnection: () => socket,
    method,
    path: url.pathname + url.search,
    headers: { ...Object.fromEntries(new Headers(headers)), host: url.host, connection: 'close' },
    ...(signal == null ? {} : { signal }),
  });
  const answered = once(sent, 'response');
  sent.end(typeof body === 'string' ? body : undefined);
  const [answer] = await answered;
  const own = Object.entries(answer.headers).flatMap(([name, value]): [string, string][] =>
    value === undefined ? [] : [[name, String(value)]],
  );
  const status = Number(answer.statusCode);
  if (status === 200 && String(answer.headers['content-type']).startsWith('text/event-stream')) {
    // One that has no end is handed on as it comes.
    return new Response(Readable.toWeb(answer) as ReadableStream<Uint8Array>, { status, headers: own });
  }
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of answer) {
    bytes += part.length;
    if (bytes > maxAnswerBytes) throw new Error(`its answer has more than ${maxAnswerBytes} bytes`);
    parts.push(Buffer.from(part));
  }
  // A response with 204 must have no body at all.
  return new Response(status === 204 || status === 304 ? null : Buffer.concat(parts), { status, headers: own });
}
