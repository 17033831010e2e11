import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { defaultSettings } from '../../src/config/index.js';
import { TargetError } from '../../src/errors.js';
import { Dialer } from '../../src/net/dialer.js';
import type { MediaSocket } from '../../src/net/media-socket.js';
import { OutgoingConnection } from '../../src/rtmp/outgoing-connection.js';
import { serve, startTarget } from '../push/targets.js';

/** As when no descriptor is left, from the given dial on. */
class RefusingDialer extends Dialer {
  #left: number;

  constructor(dials: number) {
    super();
    this.#left = dials;
  }

  override connect(...args: Parameters<Dialer['connect']>): MediaSocket {
    if (this.#left-- <= 0) throw new TargetError('OPEN_FILES_LIMIT', 'no descriptor is left');
    return super.connect(...args);
  }
}

const settings = { ...defaultSettings().media, connectTimeoutMs: 100 };
const handler = { onPublished() {}, onDrain() {}, onClosed() {} };

it('a connection that cannot begin leaves no deadline behind', async () => {
  expect(
    () => new OutgoingConnection('rtmp://127.0.0.1/live/x', settings, handler, { dialer: new RefusingDialer(0) }),
  ).toThrow(expect.objectContaining({ code: 'OPEN_FILES_LIMIT' }));
  // What a deadline throws is an uncaught exception, which fails the run.
  await sleep(300);
});

it('a second dial that is refused ends the connection with its code', async () => {
  // Closes at a connect with what it does not know; once again without it is what follows, and cannot be dialled.
  const target = await startTarget((socket, self) => serve(socket, self, { onConnect: () => socket.destroy() }));
  onTestFinished(() => target.close());
  const closed = await new Promise<TargetError | null>((resolve) => {
    new OutgoingConnection(
      target.url,
      { ...settings, connectTimeoutMs: 10_000 },
      { ...handler, onClosed: resolve },
      { dialer: new RefusingDialer(1), needs: { videoCodecs: ['av01'], audioCodecs: [], hasMultitrack: false } },
    );
  });
  expect(closed).toMatchObject({ code: 'OPEN_FILES_LIMIT' });
  expect(target.connectedMs).toHaveLength(1);
});
