import type { IncomingMessage } from 'node:http';
import type { CallFacts, CallWay } from '../access/access.js';
import { isBrowserCall, isNavigation } from '../access/browser.js';
import { isOwnSocket } from '../access/own-socket.js';
import { peerUserOf } from '../access/peer-user.js';
import { isLoopbackAddress, plainAddress } from '../address/plain-address.js';

/** Header lines of a request. Browsers send twenty, and proxies add a dozen. */
const maxHeaders = 256;

/**
 * Headers of which a request has one at most, by their meaning. Node.js keeps the first of some and joins others, while
 * whoever stands in front may have judged by the last.
 */
const singleHeaders: ReadonlySet<string> = new Set([
  ...[
    'host',
    'authorization',
    'origin',
    'referer',
    'user-agent',
    'content-type',
    'content-length',
    'transfer-encoding',
  ],
  ...['sec-fetch-site', 'sec-fetch-mode', 'sec-fetch-dest', 'sec-fetch-user', 'sec-websocket-key'],
  ...['sec-websocket-version', 'last-event-id', 'access-control-request-method'],
]);

/** A request that is answered with a status of 4xx because of its head. */
class HeadError extends Error {
  readonly statusCode: number;

  constructor(statusCode: number, message: string) {
    super(message);
    this.statusCode = statusCode;
  }
}

/** Why a request must be refused; undefined when its head is complete and unambiguous. */
export function checkHead({ rawHeaders, headers, url = '' }: IncomingMessage): Error | undefined {
  const count = rawHeaders.length / 2;
  if (count > maxHeaders)
    return new HeadError(431, `the request has ${count} header lines; at most ${maxHeaders} are read`);
  const seen = new Set<string>();
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]?.toLowerCase() ?? '';
    if (seen.has(name) && singleHeaders.has(name)) {
      return new HeadError(400, `the header ${name} stands there more than once`);
    }
    seen.add(name);
  }
  // RFC 9112 section 3.2.2: a target with an authority goes over Host. They must be the same, so that it does not matter.
  const authority = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/i.exec(url)?.[1];
  if (authority !== undefined && authority.toLowerCase() !== headers.host?.toLowerCase()) {
    return new HeadError(400, 'the target of the request names another host than its header Host');
  }
  return undefined;
}

/** Headers by which proxies, load balancers and tunnels announce themselves and their clients. */
const proxyHeader =
  /^(?:forwarded|via|x-forwarded|x-original|x-real|x-client|x-remote|x-cluster|x-proxy|x-envoy|x-amz|x-amzn|x-azure|x-arr|x-appengine|x-cloud|x-nf|x-vercel|x-scheme|x-host|x-varnish|x-https|x-url-scheme|true-client|client-ip|proxy|wl-proxy|cf|cdn|fastly|fly|ngrok|tailscale|front-end-https|max-forwards|incap|akamai|surrogate)(?:-|$)/;

/** What a request tells of who makes it. @param isAsked whether it matters whose program on this machine makes it */
export async function callFacts(
  raw: IncomingMessage,
  route: Pick<CallFacts, 'token' | 'takesAllowed' | 'changes'>,
  isAsked: boolean,
): Promise<CallFacts> {
  const { headers, socket, httpVersion } = raw;
  const names = Object.keys(headers);
  const isLoopback = isLoopbackAddress(socket.remoteAddress ?? '');
  const header = (name: string): string | undefined => {
    const value = headers[name];
    return Array.isArray(value) ? value.join(', ') : value;
  };
  // Field by field: what is made by a spread is larger, and this is made for every request.
  const { token, takesAllowed, changes } = route;
  return {
    token,
    takesAllowed,
    changes,
    way: isOwnSocket(socket) ? 'own-socket' : isLoopback ? (isAsked ? await ofUser(socket) : 'loopback') : 'network',
    // Without an address the connection is gone; it is then nobody's, and not local.
    address: plainAddress(socket.remoteAddress ?? ''),
    // Some servers take `_` and `-` for the same.
    isProxied: names.some((name) => proxyHeader.test(name.replaceAll('_', '-'))),
    // HTTP/1.1 without it does not come this far.
    host: headers.host ?? (httpVersion === '1.0' ? undefined : ''),
    origin: headers.origin,
    fetchSite: header('sec-fetch-site'),
    isBrowser: isBrowserCall(header, names),
    isNavigation: isNavigation(header),
  };
}

async function ofUser(socket: IncomingMessage['socket']): Promise<CallWay> {
  const user = await peerUserOf(socket);
  // Where the system does not tell whose a connection is, an address of this machine has to do.
  return user === 'own' || user === 'untold' ? 'own-user' : 'other-user';
}
