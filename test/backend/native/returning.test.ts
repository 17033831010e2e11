import { connect, type Socket } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { NativeBackend } from '../../../src/backend/native/native-backend.js';
import { defaultSettings } from '../../../src/config/index.js';
import { silentLogger } from '../../../src/log/log.js';
import type { SocketMode } from '../../../src/net/settings.js';
import { encodeCommand } from '../../../src/rtmp/command.js';
import { encodeMessage } from '../../../src/wire/chunk-writer.js';
import { ClientHandshake } from '../../../src/wire/handshake.js';
import { MessageType } from '../../../src/wire/message.js';
import { until } from '../../push/targets.js';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  while (cleanups.length > 0) await cleanups.pop()?.();
});

/** Everything that a publisher says until it sends media, in one piece. */
function beginning(): Buffer {
  const command = (streamId: number, ...[name, ...values]: Parameters<typeof encodeCommand>): Buffer =>
    encodeMessage(3, MessageType.CommandAmf0, 0, streamId, encodeCommand(name, ...values), 128);
  return Buffer.concat([
    new ClientHandshake().start(),
    Buffer.alloc(1536),
    command(0, 'connect', 1, { app: 'gate', tcUrl: 'rtmp://127.0.0.1/gate' }),
    command(0, 'createStream', 2, null),
    command(1, 'publish', 3, null, 'gate', 'live'),
  ]);
}

it.each<SocketMode>(['uring', 'direct', 'plain'])(
  'a publisher that returns as it leaves is let in, though both are heard of at once: %s',
  async (socketMode) => {
    const media = { ...defaultSettings().media, socketMode };
    const backend = new NativeBackend({ settings: { host: '127.0.0.1', rtmpPort: 0, media }, log: silentLogger });
    const { port } = await backend.start();
    cleanups.push(() => backend.stop(2000));
    backend.setCamera({ name: 'gate', pushes: [] });
    const data = beginning();
    const publish = async (): Promise<Socket & { heard: string }> => {
      const socket = Object.assign(connect(port, '127.0.0.1'), { heard: '' });
      cleanups.push(() => socket.destroy());
      socket.on('error', () => {});
      socket.on('data', (bytes) => {
        socket.heard += bytes.toString('latin1');
      });
      socket.write(data);
      return socket;
    };
    const answered = (socket: { heard: string }) =>
      until(() => /NetStream\.Publish\.\w+/.test(socket.heard), 20_000, 'an answer');
    let before = await publish();
    await answered(before);
    let refused = 0;
    for (let times = 0; times < 60; times++) {
      if (times % 3 === 0) before.resetAndDestroy();
      else before.destroy();
      const next = await publish();
      await answered(next);
      if (!next.heard.includes('NetStream.Publish.Start')) {
        refused++;
        next.destroy();
        before = await publish();
        await answered(before);
        continue;
      }
      before = next;
    }
    expect(refused).toBe(0);
  },
);
