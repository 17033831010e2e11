import { connect, createServer } from 'node:net';

/** Below the ports that the system gives to outgoing connections, of Linux 32,768 and above. */
const [first, count] = [12_000, 18_000];
/** Test files that run at the same time are at most so many, each with ports of its own. */
const shares = 16;
const perShare = Math.floor(count / shares);
const start = first + (Number(process.env.VITEST_POOL_ID ?? 0) % shares) * perShare;
const given = new Set<number>();

/**
 * A TCP port of 127.0.0.1 that is free now, and is nobody else's in this run of the tests, also while nothing listens on it
 * yet or any more: a port that the system chose (0) may be another test's a moment later, whose pushes arrive there then. It
 * is none of those that outgoing connections get, either: an attempt to reach such a one may connect to itself and keep it.
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; ; tries++) {
    const port = start + Math.floor(Math.random() * perShare);
    // A process that takes more of them than there are begins anew.
    if (given.has(port) && tries < 4 * perShare) continue;
    given.add(port);
    if (await isFree(port)) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

/** True when something takes connections on the port of 127.0.0.1. */
export function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
