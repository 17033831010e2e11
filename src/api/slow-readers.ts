import type { Socket } from 'node:net';
import { addressKey } from '../address/plain-address.js';
import { progressOf } from '../fairness/socket-progress.js';
import type { Logger } from '../log/log.js';

export interface SlowReaderLimits {
  /** A client that takes no waiting bytes for this long is ended, milliseconds. */
  readonly longestPauseMs: number;
  /** How often it is looked, milliseconds. */
  readonly lookEveryMs: number;
  /** Bytes that may wait for one address. Above that, its readers that take nothing are ended. */
  readonly bytesPerAddress: number;
}

const defaultLimits: SlowReaderLimits = {
  longestPauseMs: 30_000,
  lookEveryMs: 2000,
  bytesPerAddress: 64 * 1024 * 1024,
};

interface Seen {
  readonly share: string;
  progress: number;
  sinceMs: number;
}

/**
 * Ends clients that ask and do not read, whether answers, events or files: unread bytes wait in memory and hold a
 * connection. The media backend watches viewers by its own deadline.
 */
export class SlowReaders {
  readonly #limits: SlowReaderLimits;
  readonly #log: Logger;
  readonly #sockets = new Map<Socket, Seen>();
  readonly #timer: NodeJS.Timeout;

  constructor(log: Logger, limits: Partial<SlowReaderLimits> = {}) {
    this.#log = log;
    this.#limits = { ...defaultLimits, ...limits };
    this.#timer = setInterval(() => this.#look(performance.now()), this.#limits.lookEveryMs).unref();
  }

  /** For `connection` of a server, or `secureConnection` of one with TLS. */
  readonly watch = (socket: Socket): void => {
    // One whose upgrade was not granted is announced anew.
    if (this.#sockets.has(socket) || socket.destroyed) return;
    this.#sockets.set(socket, { share: addressKey(socket.remoteAddress ?? ''), progress: 0, sinceMs: 0 });
    socket.once('close', () => this.#sockets.delete(socket));
  };

  /** No longer watches a connection: somebody else does. */
  leave(socket: Socket): void {
    this.#sockets.delete(socket);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #look(nowMs: number): void {
    const waiting = new Map<string, number>();
    // The kernel takes more only now and then, even if the client reads steadily.
    const shortPauseMs = this.#limits.longestPauseMs / 6;
    for (const [socket, seen] of this.#sockets) {
      const progress = progressOf(socket);
      if (socket.writableLength === 0 || progress !== seen.progress) {
        seen.progress = progress;
        seen.sinceMs = nowMs;
      }
      waiting.set(seen.share, (waiting.get(seen.share) ?? 0) + socket.writableLength);
      if (nowMs - seen.sinceMs >= this.#limits.longestPauseMs) this.#end(socket, seen, nowMs);
    }
    // Those that have taken nothing for longest are ended first.
    const paused = [...this.#sockets].filter(([, { sinceMs }]) => nowMs - sinceMs >= shortPauseMs);
    for (const [socket, seen] of paused.sort(([, left], [, right]) => left.sinceMs - right.sinceMs)) {
      const isTooMuch = (waiting.get(seen.share) ?? 0) > this.#limits.bytesPerAddress;
      if (!isTooMuch) continue;
      waiting.set(seen.share, (waiting.get(seen.share) ?? 0) - socket.writableLength);
      this.#end(socket, seen, nowMs);
    }
  }

  #end(socket: Socket, { share, sinceMs }: Seen, nowMs: number): void {
    const seconds = Math.round((nowMs - sinceMs) / 1000);
    this.#log.debug('ended a connection of the API that takes nothing', {
      ...{ address: share, seconds, waitingBytes: socket.writableLength },
    });
    this.#sockets.delete(socket);
    socket.destroy();
  }
}
