import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { shareOf } from '../../src/api/caller-share.js';
import { startTestApi, type TestApi } from './harness.js';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  while (cleanups.length > 0) await cleanups.pop()?.();
});

async function start(settings: Parameters<typeof startTestApi>[0]): Promise<TestApi> {
  const api = await startTestApi(settings);
  cleanups.push(() => api.close());
  return api;
}

/** Follows the events from an address of this machine; resolves with the status and the code, and goes on. */
async function follow(
  { api }: TestApi,
  localAddress: string,
  token?: string,
): Promise<{ status: number; code: string; socket: Socket }> {
  const socket = connect({ port: api.port, host: '127.0.0.1', localAddress });
  cleanups.push(() => void socket.destroy());
  const header = token === undefined ? '' : `authorization: Bearer ${token}\r\n`;
  socket.write(`GET /v1/events HTTP/1.1\r\nhost: 127.0.0.1\r\n${header}\r\n`);
  const [data]: Buffer[] = await once(socket, 'data');
  const text = data?.toString() ?? '';
  return { status: Number(text.slice(9, 12)), code: /"code":"([A-Z_]+)"/.exec(text)?.[1] ?? '', socket };
}

describe('readers of events', () => {
  it('of one address take its share, and leave the rest to others', async () => {
    const api = await start({ maxEventReaders: 5, maxEventReadersPerAddress: 2 });
    const statuses: string[] = [];
    const sockets: Socket[] = [];
    for (const address of ['127.0.0.1', '127.0.0.1', '127.0.0.1', '127.0.0.2', '127.0.0.2', '127.0.0.3', '127.0.0.4']) {
      const { status, code, socket } = await follow(api, address);
      statuses.push(`${address} ${status} ${code}`.trim());
      sockets.push(socket);
    }
    expect(statuses).toEqual([
      '127.0.0.1 200',
      '127.0.0.1 200',
      '127.0.0.1 409 LIMIT_REACHED',
      '127.0.0.2 200',
      '127.0.0.2 200',
      '127.0.0.3 200',
      '127.0.0.4 409 LIMIT_REACHED',
    ]);
    // Whoever goes makes room.
    sockets[0]?.destroy();
    await expect.poll(async () => (await follow(api, '127.0.0.1')).status, { timeout: 20_000 }).toBe(200);
  });

  it('with tokens of their own are told apart at one address, and tickets count as their token', async () => {
    const api = await start({ maxEventReadersPerAddress: 1 });
    const token = async (name: string) =>
      (await api.access.tokens.create({ name, scope: 'read', expiresAt: undefined })).token;
    const [grafana, dashboard] = [await token('grafana'), await token('dashboard')];
    const session = await fetch(`${api.base}/v1/session`, {
      method: 'POST',
      headers: { authorization: `Bearer ${dashboard}` },
    });
    const ticket = String(Reflect.get(Object(await session.json()), 'token'));
    expect((await follow(api, '127.0.0.1')).status).toBe(200);
    expect((await follow(api, '127.0.0.1', grafana)).status).toBe(200);
    expect((await follow(api, '127.0.0.1', ticket)).status).toBe(200);
    expect((await follow(api, '127.0.0.1', dashboard)).status).toBe(409);
    expect((await follow(api, '127.0.0.2', dashboard)).status).toBe(200);
  });
});

it('a share is of an address, an IPv6 network of 64 bits, and the token that was shown', () => {
  const of = (remoteAddress: string, kind: 'local' | 'token' | 'ticket' | 'play-token' | 'jwt' | null, name = 'x') =>
    shareOf({
      caller: kind === null ? null : { kind, name, scope: 'read', parent: kind === 'ticket' ? 'token 1' : `${kind} 1` },
      raw: { socket: { remoteAddress } },
    } as unknown as Parameters<typeof shareOf>[0]);
  expect(of('2001:db8::1', 'play-token')).toBe(of('2001:db8::ffff', null));
  expect(of('::ffff:192.0.2.1', 'local')).toBe(of('192.0.2.1', null));
  expect(of('2001:db8::1', null)).not.toBe(of('2001:db8:0:1::1', null));
  expect(of('192.0.2.1', 'token')).toBe(of('192.0.2.1', 'ticket'));
  expect(of('192.0.2.1', 'jwt', 'ann')).not.toBe(of('192.0.2.1', 'jwt', 'bob'));
  expect(of('192.0.2.1', 'play-token', 'a')).toBe(of('192.0.2.1', 'play-token', 'b'));
});

it('tests of targets are made a few at a time, and too many of one caller are refused with when to come again', async () => {
  const api = await start({});
  await api.control.cameras.add({ name: 'gate' }, undefined);
  const finish: (() => void)[] = [];
  let most = 0;
  let underWay = 0;
  api.backend.testTarget = async () => {
    most = Math.max(most, ++underWay);
    await new Promise<void>((resolve) => finish.push(resolve));
    underWay--;
    return { ok: true, steps: [] };
  };
  const test = () =>
    fetch(`${api.base}/v1/cameras/gate/pushes:test`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ url: 'rtmp://engine.example.org/live/gate' }),
    });
  const answers = Array.from({ length: 25 }, test);
  await expect.poll(() => finish.length, { timeout: 20_000 }).toBe(4);
  const timer = setInterval(() => {
    for (const end of finish.splice(0)) end();
  }, 10);
  const statuses = (await Promise.all(answers)).map(
    ({ status, headers }) => `${status} ${headers.get('retry-after') ?? ''}`,
  );
  clearInterval(timer);
  expect(statuses.filter((status) => status === '200 ')).toHaveLength(20);
  expect(statuses.filter((status) => status === '429 2')).toHaveLength(5);
  expect(most).toBe(4);
});

it('a remote caller pays for long answers, and is told what for and when there is room again', async () => {
  const api = await start({ apiRateLimit: 10, maxCameras: 600 });
  for (let index = 0; index < 500; index += 1) await api.control.cameras.add({ name: `c${index}` }, undefined);
  const token = (await api.access.tokens.create({ name: 't', scope: 'read', expiresAt: undefined })).token;
  // Through a proxy it is no call of this machine.
  const headers = { authorization: `Bearer ${token}`, 'x-forwarded-for': '192.0.2.1' };
  const list = () => fetch(`${api.base}/v1/cameras?limit=1000`, { headers });
  // A hundred units; each list costs 1 and 5 for its cameras, and a little for its bytes.
  let granted = 0;
  let refused: Response | undefined;
  while (granted < 30 && refused === undefined) {
    const answer = await list();
    if (answer.status === 429) refused = answer;
    else {
      await answer.arrayBuffer();
      granted += 1;
    }
  }
  expect(granted).toBeGreaterThanOrEqual(10);
  expect(granted).toBeLessThan(25);
  expect(Number(refused?.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
  expect(await refused?.json()).toMatchObject({
    code: 'RATE_LIMITED',
    detail: expect.stringContaining('long answers cost more'),
  });
  // The same machine goes on.
  const own = await fetch(`${api.base}/v1/cameras?limit=1000`);
  expect([own.status, (await own.text()).length > 100_000]).toEqual([200, true]);
}, 30_000);
