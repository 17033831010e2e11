import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { HostNames } from '../../../src/backend/nginx/host-names.js';
import { Pace } from '../../../src/backend/nginx/pace.js';
import { parseSockets, type WorkerSocket } from '../../../src/backend/nginx/sockets.js';
import { fetchStatistics, parseStatistics } from '../../../src/backend/nginx/statistics.js';
import { Traffic } from '../../../src/backend/nginx/traffic.js';
import { type LiveCamera, liveCameras, oldCameras, type Worker } from '../../../src/backend/nginx/workers.js';

const document = readFileSync(new URL('./fixtures/stat.xml', import.meta.url), 'utf8');

describe('the statistics of the module', () => {
  test('a document of nginx 1.22 with a camera, two pushes and their targets', () => {
    const statistics = parseStatistics(document);
    expect(statistics).toMatchObject({ workerPid: 22964, bytesIn: 962133, bytesOut: 642225 });
    expect(statistics.streams.map(({ application, name }) => [application, name])).toEqual([
      ['cam', 'cam'],
      ['sink', 'a'],
      ['sink2/inst', 's2'],
    ]);
    expect(statistics.streams[0]).toMatchObject({ bytesIn: 319068, width: 320, videoCodec: 'H264', audioCodec: '' });
    expect(statistics.streams[0]?.clients).toMatchObject([
      { id: '3', address: '127.0.0.1:19351/sink2/inst/s2', publishing: false, dropped: 0 },
      { id: '2', address: '127.0.0.1:19351/sink/a?b=c&d="x', publishing: false },
      { id: '1', address: '127.0.0.1', publishing: true, connectedMs: 3729 },
    ]);
  });

  test('stream names that XML has no place for do not hide the others', () => {
    const changed = document.replace('<name>a</name>', '<name>\x01\x1b\0\uffff</name>');
    expect(changed).not.toBe(document);
    expect(parseStatistics(changed).streams).toHaveLength(3);
  });

  test('what is no such document is refused, and declares no entities', () => {
    const doctype = '<!DOCTYPE rtmp [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>';
    for (const text of ['', 'Not found', '<html></html>', document.slice(0, 900), doctype + document.slice(40)]) {
      expect(() => parseStatistics(text)).toThrow();
    }
    expect(() => parseStatistics('<rtmp>'.repeat(1000))).toThrow(/nested/);
  });

  test('no text makes it do anything but answer or throw an error', () => {
    fc.assert(
      fc.property(fc.nat(document.length), fc.string(), (at, text) => {
        try {
          parseStatistics(document.slice(0, at) + text + document.slice(at));
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
        }
      }),
    );
  });

  const servers: ReturnType<typeof createServer>[] = [];
  afterEach(() => {
    for (const server of servers.splice(0)) server.closeAllConnections();
  });

  test('an nginx that is gone, silent or another program is down', async () => {
    const answers = ['', 'garbage', undefined];
    for (const answer of answers) {
      const server = createServer((_, response) => {
        if (answer !== undefined) response.end(answer);
      });
      servers.push(server);
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      await expect(fetchStatistics(port, '/stat', 200)).rejects.toMatchObject({ code: 'NGINX_DOWN' });
      server.close();
      server.closeAllConnections();
      await expect(fetchStatistics(port, '/stat', 200)).rejects.toMatchObject({ code: 'NGINX_DOWN' });
    }
  });
});

describe('the connections that the kernel knows', () => {
  test('lines of ss, of IPv4, IPv6 and both in one', () => {
    const text = `ESTAB 0      0          127.0.0.1:1935       10.0.0.7:39170 users:(("nginx",pid=24417,fd=3)) ino:1 sk:2
\t bbr wscale:10,10 rto:208 bytes_sent:3482 bytes_acked:3482 bytes_received:343906 segs_out:206
ESTAB 0      0      [::ffff:10.0.0.1]:1935 [::ffff:10.0.0.8]:39171 users:(("nginx",pid=24417,fd=4))
\t cubic bytes_acked:1 bytes_received:9000
ESTAB 0      0      [fe80::1%eth0]:40000   [2001:db8::7]:1935 users:(("nginx",pid=24418,fd=4),("nginx",pid=1,fd=4))
\t cubic bytes_sent:500
ESTAB 0      0      1.1.1.1:22 2.2.2.2:3 users:(("sshd",pid=9,fd=4))
\t cubic bytes_acked:1 bytes_received:2
LAST-ACK 0 0 1.1.1.1:1935 2.2.2.2:3
\t cubic
`;
    expect(parseSockets(text)).toEqual([
      {
        pid: 24417,
        localPort: 1935,
        peerHost: '10.0.0.7',
        peerPort: 39170,
        bytesReceived: 343906,
        bytesAcknowledged: 3482,
      },
      { pid: 24417, localPort: 1935, peerHost: '10.0.0.8', peerPort: 39171, bytesReceived: 9000, bytesAcknowledged: 1 },
      { pid: 24418, localPort: 40000, peerHost: '2001:db8::7', peerPort: 1935, bytesReceived: 0, bytesAcknowledged: 0 },
      { pid: 9, localPort: 22, peerHost: '2.2.2.2', peerPort: 3, bytesReceived: 2, bytesAcknowledged: 1 },
    ]);
    expect(parseSockets('')).toEqual([]);
  });

  test('rates count what grew, by connection, and nothing from before the first look', () => {
    const traffic = new Traffic();
    const options = { pids: new Set([1]), rtmpPort: 1935, statPort: 8080 };
    const look = (atMs: number, ...sockets: WorkerSocket[]) => traffic.lookAtSockets(sockets, options, atMs);
    look(0, socket({ bytesReceived: 1_000_000 }));
    look(1000, socket({ bytesReceived: 1_001_000 }), socket({ peerPort: 6, bytesReceived: 500 }));
    // A stranger's, the statistics', and a target that answers.
    look(
      2000,
      socket({ peerPort: 6, bytesReceived: 1_000 }),
      socket({ pid: 2, bytesReceived: 1e9 }),
      socket({ localPort: 8080, bytesAcknowledged: 1e9 }),
      socket({ localPort: 4000, peerPort: 1935, bytesReceived: 1e9, bytesAcknowledged: 2_000 }),
    );
    expect(traffic.bitrateInBps).toBe((2_000 * 8) / 2);
    expect(traffic.bitrateOutBps).toBe((2_000 * 8) / 2);
    traffic.reset();
    expect([traffic.bitrateInBps, traffic.bitrateOutBps]).toEqual([0, 0]);
  });
});

function socket(facts: Partial<WorkerSocket>): WorkerSocket {
  return {
    pid: 1,
    localPort: 1935,
    peerHost: '10.0.0.1',
    peerPort: 5,
    bytesReceived: 0,
    bytesAcknowledged: 0,
    ...facts,
  };
}

describe('cameras on old workers', () => {
  const live = (name: string, host: string, key: string | null): [string, LiveCamera] => [
    name,
    {
      name,
      publisher: { id: name, host, sinceMs: 0, encoder: '' },
      stream: parseStatistics(document).streams[0]!,
      socket: key,
    },
  ];
  const worker = (...cameras: [string, LiveCamera][]): Worker => ({
    pid: 1,
    isNamed: true,
    pushes: new Map(),
    cameras: new Map(cameras),
  });
  const publisher = (facts: Partial<WorkerSocket>) => socket({ bytesReceived: 100_000, ...facts });
  const found = (old: Worker, sockets: WorkerSocket[] | undefined) =>
    oldCameras([old], sockets, 1935).map(({ camera, certainty }) => [camera.name, certainty]);

  test('a camera whose connection is known is there as long as the connection', () => {
    const old = worker(live('a', '10.0.0.1', '1 10.0.0.1:5 1935'), live('b', '10.0.0.1', '1 10.0.0.1:6 1935'));
    expect(found(old, [publisher({ peerPort: 5 }), publisher({ peerPort: 6 })])).toEqual([
      ['a', 'sure'],
      ['b', 'sure'],
    ]);
    expect(found(old, [publisher({ peerPort: 6 })])).toEqual([['b', 'sure']]);
  });

  test('of several from one address it is counted how many are there, and never guessed which', () => {
    const old = worker(live('a', '10.0.0.1', null), live('b', '10.0.0.1', null), live('c', '10.0.0.2', null));
    const all = [publisher({ peerPort: 5 }), publisher({ peerPort: 6 }), publisher({ peerHost: '10.0.0.2' })];
    expect(found(old, all).map(([, certainty]) => certainty)).toEqual(['sure', 'sure', 'sure']);
    expect(found(old, all.slice(0, 1))).toEqual([
      ['a', 'one-of'],
      ['b', 'one-of'],
    ]);
    expect(found(old, [])).toEqual([]);
    // Viewers and other workers' connections are no cameras.
    expect(found(old, [socket({ bytesAcknowledged: 1e6 }), publisher({ pid: 2 })])).toEqual([]);
  });

  test('without the kernel nothing is sure', () => {
    expect(found(worker(live('a', '10.0.0.1', null)), undefined)).toEqual([['a', 'unknown']]);
  });

  test('one new camera and one new connection of an address belong together', () => {
    const statistics = parseStatistics(document);
    const seen = { ...statistics, workerPid: 1, streams: statistics.streams.slice(0, 1) };
    const here = (port: number) => publisher({ peerHost: '127.0.0.1', peerPort: port });
    const first = liveCameras(seen, undefined, [here(7)], 1935, 10_000);
    expect(first.get('cam')).toMatchObject({ socket: '1 127.0.0.1:7 1935', publisher: { sinceMs: 10_000 - 3729 } });
    const again = liveCameras(seen, worker(...first), [here(8), here(7)], 1935, 20_000);
    expect(again.get('cam')).toMatchObject({ socket: '1 127.0.0.1:7 1935', publisher: { sinceMs: 10_000 - 3729 } });
    expect(liveCameras(seen, undefined, [here(7), here(8)], 1935, 0).get('cam')?.socket).toBeNull();
  });
});

describe('names of hosts', () => {
  test('one that does not resolve is told, asked again later or on request, and found when it resolves', async () => {
    const asked: string[] = [];
    let isThere = false;
    const hosts = new HostNames(async (host) => {
      asked.push(host);
      if (host === 'bad' && !isThere) throw new Error('ENOTFOUND');
      return ['192.0.2.1'];
    });
    const both = new Set(['good', 'bad']);
    await hosts.look(both);
    expect([hosts.resolves('good'), hosts.resolves('bad')]).toEqual([true, false]);
    expect(hosts.state('bad')).toMatchObject({ addresses: [], failingSinceMs: expect.any(Number) });
    expect(hosts.nextLookMs()).toBe(hosts.state('bad')?.nextLookMs);
    await hosts.look(both);
    expect(asked).toEqual(expect.arrayContaining(['good', 'bad']));
    expect(asked).toHaveLength(2);
    isThere = true;
    expect([hosts.retry('good'), hosts.retry('bad'), hosts.retry('never')]).toEqual([false, true, false]);
    await hosts.look(both);
    expect(hosts.state('bad')).toEqual({ addresses: ['192.0.2.1'], failingSinceMs: null, nextLookMs: null });
    hosts.fail('good');
    expect(hosts.resolves('good')).toBe(false);
    await hosts.look(new Set());
    expect(hosts.nextLookMs()).toBeUndefined();
  });
});

describe('changes that come close together', () => {
  test('share a run; what comes during a run has another; nothing runs twice at once', async () => {
    let running = 0;
    let runs = 0;
    let most = 0;
    const pace = new Pace(async () => {
      running++;
      runs++;
      most = Math.max(most, running);
      await new Promise((resolve) => setTimeout(resolve, 30));
      running--;
    });
    await pace.settled();
    expect(runs).toBe(0);
    for (let change = 0; change < 10; change++) pace.note();
    await pace.settled();
    expect(runs).toBe(1);
    const first = pace.flush();
    pace.note();
    await Promise.all([first, pace.flush(), pace.settled()]);
    expect(most).toBe(1);
    expect(runs).toBeGreaterThanOrEqual(3);
    expect(pace.isFlood).toBe(false);
    for (let change = 0; change < 40; change++) pace.note();
    expect(pace.isFlood).toBe(true);
    const before = runs;
    await pace.close();
    await pace.settled();
    expect(runs).toBe(before);
  });
});
