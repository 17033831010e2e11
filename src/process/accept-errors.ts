import type { Server } from 'node:net';
import type { Logger } from '../log/log.js';

/** A listener that keeps failing is told of again after this time. */
const saidEveryMs = 60_000;

/**
 * Keeps a listener that cannot accept (ENFILE: the machine has no descriptor left; ENOMEM, ENOBUFS: no memory) from ending
 * the process or filling the log: it is said once a minute at most, with how often, and when it accepts again. Node goes on
 * by itself. What happens before it listens is the matter of whoever opens it.
 * @param what the listener in the log, "the RTMP listener"
 */
export function watchAccepts(server: Server, what: string, log: Logger): void {
  let failures = 0;
  let saidAtMs = Number.NEGATIVE_INFINITY;
  let isSaid = false;
  server.on('error', (error: NodeJS.ErrnoException) => {
    if (!server.listening) return;
    failures++;
    const nowMs = performance.now();
    if (nowMs - saidAtMs < saidEveryMs) return;
    saidAtMs = nowMs;
    isSaid = true;
    const reason = error.code ?? error.message;
    log.error(`${what} cannot accept new connections; open ones are not affected`, {
      code: 'OPEN_FILES_LIMIT',
      reason,
      failures,
    });
  });
  server.on('connection', () => {
    if (failures === 0) return;
    if (isSaid) log.info(`${what} accepts connections again`, { failures });
    isSaid = false;
    failures = 0;
  });
}
