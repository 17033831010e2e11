import { expect, test } from 'vitest';
import type { HopState } from '../../../src/backend/backend.js';
import { NativeBackend } from '../../../src/backend/native/native-backend.js';
import { defaultSettings } from '../../../src/config/index.js';
import { silentLogger } from '../../../src/log/log.js';
import { PublishClient } from '../../../src/rtmp/publish-client.js';
import { MessageType } from '../../../src/wire/message.js';
import { until } from '../../push/targets.js';
import { frame, videoHeader } from '../../relay/fixtures.js';

test('a node that ends the stream of one camera refuses that camera; one that is gone has failed', async (context) => {
  const states: HopState[] = [];
  const partner = {
    admit: () => ({ from: 'a', owner: 'a', epoch: 1 }),
    ticketFor: () => 'ticket',
    mayFetch: () => false,
    ownChanged: () => undefined,
    relayChanged: () => undefined,
    hopChanged: (_camera: string, _to: string, state: HopState) => void states.push(state),
    viewersChanged: () => undefined,
  };
  const start = async () => {
    const media = { ...defaultSettings().media, pushRetryMinMs: 50, connectTimeoutMs: 2000 };
    const settings = { host: '127.0.0.1', rtmpPort: 0, media, isInCluster: true };
    const backend = new NativeBackend({ settings, log: silentLogger });
    const { port } = await backend.start();
    context.onTestFinished(() => backend.stop(1000));
    backend.relaying.relayWith(partner);
    return { backend, url: `rtmp://127.0.0.1:${port}` };
  };
  const [a, b] = await Promise.all([start(), start()]);
  b.backend.setCamera({ name: 'gate', pushes: [] });
  a.backend.setCamera({ name: 'gate', pushes: [], hops: [{ to: 'b', url: b.url }] });
  const publisher = new PublishClient({ url: `${a.url}/gate/gate`, connectTimeoutMs: 5000 });
  await publisher.connect();
  publisher.write(MessageType.Video, 0, videoHeader());
  let number = 0;
  const timer = setInterval(() => publisher.write(MessageType.Video, number * 20, frame(number++, true)), 20);
  context.onTestFinished(() => clearInterval(timer));
  await until(() => states.at(-1) === 'active', 20_000, 'the stream to flow');

  b.backend.removeCamera('gate');
  await until(() => states.includes('refused'), 20_000, 'the camera to be refused');
  expect(states).not.toContain('failed');
  await b.backend.stop(1000);
  await until(() => states.includes('failed'), 20_000, 'the node to be gone');
});
