import type { IncomingMessage, Server } from 'node:http';
import { createServer } from 'node:http';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';

/** Headers of a request that ask for another protocol. */
const upgradeHeaders: ReadonlySet<string> = new Set(['upgrade', 'connection', 'http2-settings']);

/** The only addresses that speak WebSocket; names of cameras hold nothing that a client would have to encode. */
const viewingPath = /^\/live\/[A-Za-z0-9._-]{1,64}\.flv(?:\?|$)/;

/**
 * Upgrades of viewers to WebSocket, and those alone. Who asks for another one is to be answered as if it had not asked
 * (RFC 9110, section 7.8): a client that would rather speak HTTP/2 (`Upgrade: h2c`: curl with --http2, and Java's by
 * default), and one that seeks a WebSocket where there is none, whose connection nobody would look after. But Node takes
 * every request with `Upgrade` from its server once somebody listens for upgrades. Such a request is given back, without
 * the question.
 */
export function webSocketUpgrades(server: Server): Server {
  const upgrades = createServer(); // it never listens: only what is emitted here comes through
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (isViewer(request)) upgrades.emit('upgrade', request, socket, head);
    else giveBack(server, request, socket, head);
  });
  return upgrades;
}

/** True for a request that asks for a WebSocket (RFC 6455, section 4.2.1). */
export function isWebSocketUpgrade({ headers }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase() === 'websocket';
}

function isViewer(request: IncomingMessage): boolean {
  return request.method === 'GET' && viewingPath.test(request.url ?? '') && isWebSocketUpgrade(request);
}

function giveBack(
  server: Server,
  { method, url, httpVersion, rawHeaders }: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): void {
  const lines = [`${method} ${url} HTTP/${httpVersion}`];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? '';
    if (!upgradeHeaders.has(name.toLowerCase())) lines.push(`${name}: ${rawHeaders[i + 1]}`);
  }
  // The parser has shown that no name or value holds a line break. In Latin-1, as Node reads them.
  const again = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
  socket.unshift(Buffer.concat([again, head]));
  server.emit(socket instanceof TLSSocket ? 'secureConnection' : 'connection', socket);
}
