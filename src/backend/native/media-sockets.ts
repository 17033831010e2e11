import type { Logger } from '../../log/log.js';
import { setReadHooks } from '../../net/shared-read.js';
import { prepareSockets, readEveryMs, socketWay, tellWay } from '../../net/socket-way.js';
import type { FlushScheduler } from '../../relay/flush-scheduler.js';
import { readIntervalMs } from '../../relay/read-interval.js';
import type { NativeMediaSettings } from './native-settings.js';

/**
 * Finds out how media is read and sent best in this process, and has what is read together flushed together. To be done before the
 * first connection is made.
 * @param log is told when that works no more
 */
export async function prepareMediaSockets(
  media: Pick<NativeMediaSettings, 'socketMode' | 'flushWindowMs'>,
  scheduler: FlushScheduler,
  log: Logger,
): Promise<void> {
  const { socketMode, flushWindowMs } = media;
  const onChanged = (): void => {
    scheduler.windowMs = flushWindowMs;
    tellWay(socketMode, socketWay(socketMode), log, 'error');
  };
  await prepareSockets(socketMode, { readEveryMs: readIntervalMs(flushWindowMs), onChanged });
  // What is read late is sent earlier: together they take the window.
  scheduler.windowMs = flushWindowMs - readEveryMs(socketMode);
  setReadHooks({ begin: () => scheduler.beginReading(), end: () => scheduler.flushDue() });
}
