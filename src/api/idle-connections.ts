import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { isLoopbackAddress } from '../address/plain-address.js';
import type { Logger } from '../log/log.js';
import { type OpenFiles, openFiles } from '../process/open-files.js';

/**
 * Keeps the API reachable when descriptors run out: a new connection then replaces the one that has been idle for
 * longest, and is refused only if all others are in the middle of a request.
 */
export class IdleConnections {
  readonly #log: Logger;
  readonly #openFiles: OpenFiles;
  /** Without a request under way, by the far end, which is the same inside TLS; in the order in which they fell idle. */
  readonly #idle = new Map<string, Socket>();

  constructor(log: Logger, files: OpenFiles = openFiles) {
    this.#log = log;
    this.#openFiles = files;
  }

  /** For `connection` of a server, behind others who end connections. */
  readonly admit = (socket: Socket): void => {
    const key = farEnd(socket);
    // A connection that a WebSocket was asked on, and not granted, is announced anew.
    if (key === undefined || socket.destroyed || this.#idle.has(key)) return;
    const use = isLoopbackAddress(socket.remoteAddress ?? '') ? 'local' : 'api';
    if (!this.#openFiles.hasRoomFor(use, 1) && !this.#makeRoom()) {
      socket.destroy();
      return;
    }
    this.#idle.set(key, socket);
    socket.once('close', () => this.#idle.delete(key));
  };

  /** For `request` of a server. */
  readonly busy = ({ socket }: IncomingMessage, response: ServerResponse): void => {
    const key = farEnd(socket);
    if (key === undefined) return;
    this.#idle.delete(key);
    response.once('close', () => {
      if (!socket.destroyed) this.#idle.set(key, socket);
    });
  };

  /** Leaves a connection alone from now on. */
  leave(socket: Socket): void {
    this.#idle.delete(farEnd(socket) ?? '');
  }

  /** False: nobody is idle. */
  #makeRoom(): boolean {
    const { open, limit } = this.#openFiles.figures;
    this.#log.warn('OPEN_FILES_LIMIT: idle API connections closed', { summed: true, open, limit });
    for (const [key, oldest] of this.#idle) {
      this.#idle.delete(key);
      oldest.destroy();
      return true;
    }
    return false;
  }
}

function farEnd({ remoteAddress, remotePort }: Socket): string | undefined {
  return remoteAddress === undefined ? undefined : `${remoteAddress} ${remotePort}`;
}
