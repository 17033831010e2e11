import { expect, test } from 'vitest';
import { WayLog } from '../../../src/backend/workers/way-log.js';
import type { LogFields, Logger } from '../../../src/log/log.js';
import type { SocketWay } from '../../../src/net/socket-way.js';

const uring: SocketWay = { mode: 'uring', why: null };
const direct: SocketWay = { mode: 'direct', why: 'no locked memory was left' };

/** A log, and its lines. */
function lines(): { log: Logger; seen: string[] } {
  const seen: string[] = [];
  const of = (fields: LogFields): Logger => {
    const note = (level: string) => (message: string, own?: LogFields) => {
      const { worker, why } = { ...fields, ...own };
      seen.push(`${level} ${worker}: ${message.split(',')[0]}${why === undefined ? '' : `, since ${String(why)}`}`);
    };
    return {
      ...{ debug: note('debug'), info: note('info'), warn: note('warn'), error: note('error') },
      child: (more) => of({ ...fields, ...more }),
    };
  };
  return { log: of({}), seen };
}

test('the log tells once of workers that are alike, and of each that is another', () => {
  const { log, seen } = lines();
  const ways = new WayLog('auto', log);
  for (const worker of [2, 1, 4]) ways.began(worker, uring);
  ways.began(3, direct);
  expect(seen).toEqual(['info 2: sockets: uring', 'warn 3: sockets: direct, since no locked memory was left']);
  seen.length = 0;
  // Started again, as before: no news.
  for (const worker of [1, 2]) ways.began(worker, uring);
  ways.began(3, direct);
  expect(seen).toEqual([]);
  // What a worker told itself is known; that its next process is well again is news.
  ways.isNow(1, direct);
  ways.began(1, uring);
  ways.began(3, uring);
  expect(seen).toEqual(['info 1: sockets: uring', 'info 3: sockets: uring']);
});

test('who set another way is warned', () => {
  const { log, seen } = lines();
  new WayLog('uring', log).began(1, direct);
  expect(seen).toEqual(['warn 1: sockets: direct, since no locked memory was left']);
});
