import { type AddressInfo, createServer, type Server } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { PushPolicy } from '../../src/address/push-policy.js';
import { NativeBackend } from '../../src/backend/native/native-backend.js';
import { defaultSettings } from '../../src/config/index.js';
import { silentLogger } from '../../src/log/log.js';
import { Dialer } from '../../src/net/dialer.js';
import { SharedLookups } from '../../src/net/lookup.js';
import { TargetWatch } from '../../src/push/target-watch.js';
import { encodeCommand } from '../../src/rtmp/command.js';
import { PublishClient } from '../../src/rtmp/publish-client.js';
import type { ServerSession } from '../../src/rtmp/server-session.js';
import { ChunkStreamId, MessageType } from '../../src/wire/message.js';
import { healthy, serve, startTarget, until } from '../push/targets.js';
import { frame, videoHeader } from '../relay/fixtures.js';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  while (cleanups.length > 0) await cleanups.pop()?.();
});

/** A resolver whose answer for every name is what the test says at the moment. */
function resolver(...addresses: string[]) {
  const answer = { addresses, asked: 0 };
  const lookups = new SharedLookups((_host, _options, done) => {
    answer.asked++;
    const found = answer.addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
    setImmediate(done, null, found);
  });
  return { answer, lookups };
}

/** A listener that nobody is to come to. */
async function trap(host: string, port: number): Promise<{ port: number; visits: () => number }> {
  let visits = 0;
  const server: Server = createServer((socket) => {
    visits++;
    socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(port, host, resolve));
  cleanups.push(() => new Promise((resolve) => server.close(resolve)));
  return { port: (server.address() as AddressInfo).port, visits: () => visits };
}

async function liveCamera(lookups: SharedLookups, rules: { pushAllow?: string[]; pushDeny?: string[] }) {
  const media = { ...defaultSettings().media, pushRetryMinMs: 50, pushRetryMaxMs: 100, ...rules };
  const settings = { host: '127.0.0.1', rtmpPort: 0, media };
  const backend = new NativeBackend({ settings, log: silentLogger, lookups });
  const { port } = await backend.start();
  cleanups.push(() => backend.stop(1000));
  const declare = (...urls: string[]): void => {
    backend.setCamera({ name: 'gate', pushes: urls.map((url, i) => ({ id: `p${i}`, url, enabled: true })) });
  };
  declare();
  const publisher = new PublishClient({ url: `rtmp://127.0.0.1:${port}/gate/gate`, connectTimeoutMs: 5000 });
  await publisher.connect();
  publisher.write(MessageType.Video, 0, videoHeader());
  let number = 0;
  const timer = setInterval(() => {
    publisher.write(MessageType.Video, number * 20, frame(number, number % 25 === 0));
    number++;
  }, 20);
  cleanups.push(async () => {
    clearInterval(timer);
    await publisher.close();
  });
  return { backend, port, declare, push: () => backend.push('gate', 'p0') };
}

describe('where connections to targets go', () => {
  it('a name that changes to a denied address (rebinding) is refused at the next connect, and never dialled', async () => {
    const { answer, lookups } = resolver('127.0.0.1');
    const { declare, push } = await liveCamera(lookups, { pushDeny: ['127.0.0.9'] });
    const target = await startTarget(healthy);
    cleanups.push(() => target.close());
    const caught = await trap('127.0.0.9', target.port);
    declare(`rtmp://engine.invalid:${target.port}/live/gate`);
    await until(() => push()?.state === 'active', 20_000, 'active by the first address');
    answer.addresses = ['127.0.0.9'];
    await target.close();
    await until(() => push()?.lastError?.code === 'TARGET_FORBIDDEN', 20_000, 'refused');
    const asked = answer.asked;
    await until(() => answer.asked > asked + 5, 20_000, 'further tries');
    expect(push()?.lastError?.code).toBe('TARGET_FORBIDDEN');
    expect(push()?.state).not.toBe('active');
    expect(push()?.lastError?.message).toContain('engine.invalid (127.0.0.9)');
    expect(caught.visits()).toBe(0);
  });

  it('of several addresses of a name, only those that are allowed are tried', async () => {
    const target = await startTarget(healthy);
    cleanups.push(() => target.close());
    const caught = await trap('127.0.0.9', target.port);
    const { lookups } = resolver('127.0.0.9', '::ffff:127.0.0.9', '127.0.0.1');
    const { declare, push } = await liveCamera(lookups, { pushDeny: ['127.0.0.9'] });
    declare(`rtmp://engine.invalid:${target.port}/live/gate`);
    await until(() => push()?.state === 'active', 20_000, 'active');
    expect(caught.visits()).toBe(0);
  });

  it('a push into the aggregator itself is refused by every name and address of it', async () => {
    const { lookups } = resolver('127.0.0.1');
    const { backend, port, declare, push } = await liveCamera(lookups, {});
    declare(`rtmp://engine.invalid:${port}/other/other`);
    await until(() => push()?.lastError?.code === 'TARGET_FORBIDDEN', 20_000, 'refused by its name');
    for (const host of ['127.0.0.1', '[::ffff:127.0.0.1]', '0.0.0.0']) {
      expect(backend.refuses(`rtmp://${host}:${port}/other/other`)?.code, host).toBe('TARGET_FORBIDDEN');
    }
    expect(backend.refuses(`rtmp://127.0.0.2:${port}/other/other`)).toBeUndefined();
    await expect(backend.testTarget(`rtmp://127.0.0.1:${port}/other/other`)).rejects.toThrow(/itself/);
    const test = await backend.testTarget(`rtmp://engine.invalid:${port}/other/other`);
    expect(test.steps.map(({ step, error }) => [step, error?.code])).toEqual([['dns', 'TARGET_FORBIDDEN']]);
  });

  it('knocks at a target that refused connections are judged too', async () => {
    const { answer, lookups } = resolver('127.0.0.9');
    const dialer = new Dialer({ policy: new PushPolicy({ pushDeny: ['127.0.0.9'] }), lookups });
    const watch = new TargetWatch(20, dialer);
    const opened: string[] = [];
    const target = await startTarget(healthy);
    cleanups.push(() => target.close());
    const caught = await trap('127.0.0.9', target.port);
    cleanups.push(async () => {
      for (const stop of stops) stop();
    });
    const stops = [
      watch.watch('engine.invalid', target.port, () => opened.push('name')),
      watch.watch('127.0.0.9', target.port, () => opened.push('address')),
    ];
    await until(() => answer.asked > 3, 20_000, 'several knocks');
    expect([caught.visits(), opened]).toEqual([0, []]);
    answer.addresses = ['127.0.0.1'];
    await until(() => opened.length > 0, 20_000, 'a knock that is heard');
    expect([caught.visits(), opened]).toEqual([0, ['name']]);
  });

  it.each([
    ['address', '127.0.0.9'],
    ['name', 'elsewhere.invalid'],
  ])('a redirect is judged as any other URL: to a denied %s it is not followed', async (_what, host) => {
    const caught = await trap('127.0.0.9', 0);
    let session: ServerSession | undefined;
    const target = await startTarget((socket, self) =>
      serve(socket, self, {
        session: (made) => {
          session = made;
        },
        onConnect: () => {
          const answer = encodeCommand('_error', 1, null, {
            level: 'error',
            code: 'NetConnection.Connect.Rejected',
            description: 'moved',
            ex: { code: 302, redirect: `rtmp://${host}:${caught.port}/live/gate` },
          });
          session?.channel.send(ChunkStreamId.Command, MessageType.CommandAmf0, 0, 0, answer);
        },
      }),
    );
    cleanups.push(() => target.close());
    const rules = { pushDeny: ['127.0.0.9'] };
    const { declare, push } = await liveCamera(resolver('127.0.0.9').lookups, rules);
    declare(`rtmp://127.0.0.1:${target.port}/live/gate`);
    await until(() => target.connectedMs.length > 2, 20_000, 'further tries at the target itself');
    await until(() => push()?.lastError != null, 20_000, 'the reason');
    expect(push()).toMatchObject({ lastError: { code: 'TARGET_FORBIDDEN' } });
    expect(caught.visits()).toBe(0);
  });
});
