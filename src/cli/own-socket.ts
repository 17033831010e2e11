import { closeSync, constants, fstatSync, lstatSync, openSync, type Stats, statSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { dirname } from 'node:path';

/** Opens a file without any access to its content, so that it can be looked at and then connected to (open(2)). */
const pathOnly = 0o10000000;

/** The socket of a folder cannot be used; another way may be. */
export class NoOwnSocket extends Error {}

/**
 * Connects to the socket that an aggregator has in its data folder.
 * @throws NoOwnSocket when it is not there, may not be opened, or belongs to a stranger; what the system throws when
 * nobody listens on it (ECONNREFUSED)
 */
export async function connectOwnSocket(path: string, signal?: AbortSignal): Promise<Socket> {
  const isLinux = process.platform === 'linux';
  let handle: number | undefined;
  try {
    // What is looked at is what is connected to, also when others can write into the folder; and the path is short.
    if (isLinux) handle = openSync(path, pathOnly | constants.O_NOFOLLOW);
    const file = handle === undefined ? lstatSync(path) : fstatSync(handle);
    checkOwner(path, file);
    return await connected(handle === undefined ? path : `/proc/self/fd/${handle}`, signal);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    if (['ENOENT', 'EACCES', 'EPERM', 'ELOOP', 'ENOTSOCK', 'ENXIO', 'EOPNOTSUPP', 'EINVAL'].includes(code)) {
      throw new NoOwnSocket(`${path} cannot be opened (${code})`, { cause: error });
    }
    throw error;
  } finally {
    if (handle !== undefined) closeSync(handle);
  }
}

function checkOwner(path: string, file: Stats): void {
  if (!file.isSocket()) throw new NoOwnSocket(`${path} is no socket`);
  const owners = [process.geteuid?.() ?? file.uid, 0, statSync(dirname(path)).uid];
  if (!owners.includes(file.uid))
    throw new NoOwnSocket(`${path} belongs to user ${file.uid}, and not to that of its folder`);
}

function connected(path: string, signal: AbortSignal | undefined): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path });
    const onAbort = (): void => void socket.destroy(new Error('the call took too long'));
    signal?.addEventListener('abort', onAbort, { once: true });
    const settle = (): void => {
      signal?.removeEventListener('abort', onAbort);
      socket.off('error', onError);
    };
    const onError = (error: Error): void => {
      settle();
      reject(error);
    };
    socket.once('error', onError);
    socket.once('connect', () => {
      settle();
      resolve(socket);
    });
  });
}
