import { expect, it, onTestFinished } from 'vitest';
import { defaultSettings } from '../../src/config/index.js';
import { TargetError } from '../../src/errors.js';
import { silentLogger } from '../../src/log/log.js';
import { Dialer } from '../../src/net/dialer.js';
import { Push } from '../../src/push/push.js';
import { PushRoom } from '../../src/push/push-room.js';
import { TargetWatch } from '../../src/push/target-watch.js';
import { FlushScheduler } from '../../src/relay/flush-scheduler.js';
import { MessageType } from '../../src/wire/message.js';
import { frame, videoHeader } from '../relay/fixtures.js';
import { FedStream } from '../support/fed-stream.js';
import { healthy, startTarget, until } from './targets.js';

const full = new TargetError('NODE_FULL', 'no room for 4 Mbit/s more');

it('a push without room at its node waits, says why, and starts by itself when there is room', async () => {
  const { media: settings } = defaultSettings();
  const target = await startTarget(healthy);
  const asked: boolean[] = [];
  let hasRoom = false;
  const push = new Push({
    ...{ url: target.url, shownUrl: target.url, enabled: true, limits: settings, settings, log: silentLogger },
    watch: new TargetWatch(50),
    dialer: new Dialer(),
    takeRoom: (wasRefused) => {
      asked.push(wasRefused);
      return hasRoom ? undefined : full;
    },
  });
  const format = { chunkBytes: settings.outChunkBytes, streamId: 1, publishing: true };
  const stream = new FedStream(
    { format, gopMaxBytes: settings.gopMaxBytes, scheduler: new FlushScheduler() },
    performance.now(),
  );
  stream.publish(MessageType.Video, 0, videoHeader(), performance.now());
  stream.publish(MessageType.Video, 0, frame(0, true), performance.now());
  const ticker = setInterval(() => push.tick(performance.now()), 50);
  onTestFinished(async () => {
    clearInterval(ticker);
    await push.close();
    await target.close();
  });
  const status = () => push.status(performance.now());

  push.begin(stream);
  expect(status()).toMatchObject({ state: 'waiting', lastError: { code: 'NODE_FULL' }, nextRetryAt: null });
  await until(() => asked.length > 3, 10_000, 'it to ask again');
  expect(asked.slice(0, 3)).toEqual([false, true, true]);
  expect(target.connectedMs).toEqual([]);
  // It is told once, and not at each look.
  expect(push.events.filter(({ text }) => text.includes('NODE_FULL')).length).toBe(1);

  hasRoom = true;
  await until(() => status().state === 'active', 10_000, 'it to flow');
  expect(push.holdsRoom).toBe(true);
  const known = asked.length;
  // Over a pause of its camera it keeps its room.
  push.pause();
  expect(push.holdsRoom).toBe(true);
  push.begin(stream);
  expect(asked.length).toBe(known);
  push.setEnabled(false);
  expect(push.holdsRoom).toBe(false);
  hasRoom = false;
  push.setEnabled(true);
  expect(status().state).toBe('waiting');
  push.end();
  expect(status().state).toBe('idle');
});

it('room is kept over a short outage of a target, and given to others after a minute', () => {
  const room = new PushRoom();
  expect(room.ask(0)).toBeUndefined();
  room.look(10_000, true, true);
  room.look(69_000, false, false);
  expect(room.isHeld).toBe(true);
  // An attempt that may just succeed is not robbed of its room.
  room.look(70_001, false, true);
  expect(room.isHeld).toBe(true);
  room.look(71_000, false, false);
  expect(room.isHeld).toBe(false);
});
