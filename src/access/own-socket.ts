import {
  chmodSync,
  closeSync,
  constants,
  lstatSync,
  mkdtempSync,
  openSync,
  renameSync,
  rmdirSync,
  rmSync,
} from 'node:fs';
import { lstat, readdir, rm } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { ownSocketName } from '../files/own-socket-name.js';

const workPrefix = `.${ownSocketName}-`;

/** Connections of commands at once. */
const maxConnections = 200;
const headersTimeoutMs = 10_000;
const requestTimeoutMs = 15_000;

/** Where the same API is by TCP. */
export interface ApiAddress {
  readonly scheme: string;
  readonly port: number;
}

const ownSockets = new WeakMap<object, ApiAddress>();

/** True for a connection that came by the socket in the data folder. */
export function isOwnSocket(socket: object): boolean {
  return ownSockets.has(socket);
}

/** How the API is reached by others than the commands, whichever way this request of it came. */
export function apiAddressOf({ protocol, socket }: { protocol: string; socket: Socket }): ApiAddress {
  return ownSockets.get(socket) ?? { scheme: protocol, port: socket.localPort ?? 0 };
}

/**
 * The API by a socket of the Unix domain in the data folder, for the commands of this machine. Only those can open it
 * who may read the secrets of the folder (mode 0600), so that they need no token; and nobody else can stand in its
 * place, so that they tell nobody else what they say.
 */
export class OwnSocket {
  readonly path: string;
  readonly #server: Server;
  readonly #inode: bigint;

  private constructor(path: string, server: Server) {
    this.path = path;
    this.#server = server;
    this.#inode = lstatSync(path, { bigint: true }).ino;
  }

  /** @throws what the system throws, where a folder can hold no socket */
  static async open(folder: string, handler: RequestListener, address: ApiAddress): Promise<OwnSocket> {
    for (const name of await readdir(folder)) {
      if (name.startsWith(workPrefix)) await rm(join(folder, name), { recursive: true, force: true });
    }
    const server = createServer(
      { headersTimeout: headersTimeoutMs, requestTimeout: requestTimeoutMs, connectionsCheckingInterval: 2000 },
      handler,
    );
    server.maxHeadersCount = 0;
    server.maxConnections = maxConnections;
    server.on('connection', (socket: Socket) => void ownSockets.set(socket, address));
    const path = join(folder, ownSocketName);
    // Made in a folder that nobody else may enter, and put in its place with its mode: there is no moment at which
    // others could open it. The rename also takes the place of what a killed process left.
    const work = mkdtempSync(join(folder, workPrefix));
    // The path of a socket has 107 bytes at most, that of a data folder more: on Linux an open folder has a short one.
    const handle =
      process.platform === 'linux' ? openSync(work, constants.O_RDONLY | constants.O_DIRECTORY) : undefined;
    try {
      const made = join(work, 's');
      await listen(server, handle === undefined ? made : `/proc/self/fd/${handle}/s`);
      chmodSync(made, 0o600);
      renameSync(made, path);
      rmdirSync(work);
      return new OwnSocket(path, server);
    } catch (error) {
      server.close();
      rmSync(work, { recursive: true, force: true });
      throw error;
    } finally {
      if (handle !== undefined) closeSync(handle);
    }
  }

  /** Takes no more calls, lets those under way finish, and takes the socket away unless it is another's by now. */
  async close(): Promise<void> {
    try {
      if ((await lstat(this.path, { bigint: true })).ino === this.#inode) await rm(this.path, { force: true });
    } catch {
      // It is gone already.
    }
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    this.#server.closeIdleConnections();
    await closed;
  }
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ path }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
