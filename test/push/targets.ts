import type { AddressInfo } from 'node:net';
import { createServer, type Server, type Socket } from 'node:net';
import { ServerSession, type ServerSessionHandler } from '../../src/rtmp/server-session.js';

export interface SickTarget {
  readonly port: number;
  readonly url: string;
  /** Times at which connections came, on the monotonic clock. */
  readonly connectedMs: number[];
  /** Audio, video and data messages that arrived. */
  readonly media: { type: number; timestampMs: number; payload: Buffer }[];
  /** How often a publish ended by the publisher's own word. */
  readonly ended: number[];
  close(): Promise<void>;
}

/** What a target does with a connection. */
export type Behaviour = (socket: Socket, target: SickTarget) => void;

/** A target on a free port (or a given one) of 127.0.0.1 that behaves as it is told. */
export async function startTarget(behave: Behaviour, port = 0): Promise<SickTarget> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    target.connectedMs.push(performance.now());
    behave(socket, target);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  const actual = (server.address() as AddressInfo).port;
  const target: SickTarget = {
    port: actual,
    url: `rtmp://127.0.0.1:${actual}/live/cam`,
    connectedMs: [],
    media: [],
    ended: [],
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
  return target;
}

/** A healthy target: takes whatever is published. */
export const healthy: Behaviour = (socket, target) => {
  serve(socket, target, {});
};

/** Serves RTMP on a socket, with some of its decisions changed. */
export function serve(
  socket: Socket,
  target: SickTarget,
  changes: Partial<Pick<ServerSessionHandler, 'onConnect' | 'onPublish'>> & {
    session?: (session: ServerSession) => void;
  },
): void {
  const session: ServerSession = new ServerSession({
    handler: {
      onConnect: (info) => (changes.onConnect ?? (() => session.acceptConnect()))(info),
      onPublish: (request) => (changes.onPublish ?? (() => session.acceptPublish(request.streamId)))(request),
      onPlay() {},
      onMedia: (_streamId, type, timestampMs, payload) => {
        target.media.push({ type, timestampMs, payload: Buffer.from(payload) });
      },
      onUnpublish: (streamId) => target.ended.push(streamId),
      onStop() {},
      onPause() {},
    },
    write: (data) => socket.write(data),
    limits: {
      maxMessageBytes: 1 << 23,
      maxChunkStreams: 64,
      maxPartialBytes: 1 << 24,
      maxCommandBytes: 1 << 16,
      maxAmfDepth: 32,
    },
    outChunkBytes: 4096,
  });
  changes.session?.(session);
  socket.on('data', (data) => session.receive(data));
}

/** Waits until `what` is true; fails after `withinMs`. */
export async function until(what: () => boolean, withinMs: number, label: string): Promise<void> {
  const endMs = performance.now() + withinMs;
  while (!what()) {
    if (performance.now() > endMs) throw new Error(`not within ${withinMs} ms: ${label}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
