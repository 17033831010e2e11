import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { type ClientRequest, get, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { Access } from '../../src/access/access.js';
import { StreamKeys } from '../../src/admission/stream-keys.js';
import { type RunningApi, startApi } from '../../src/api/server.js';
import { NativeBackend } from '../../src/backend/native/native-backend.js';
import { defaultSettings } from '../../src/config/index.js';
import { Control } from '../../src/control/control.js';
import { CodedError } from '../../src/errors.js';
import { silentLogger } from '../../src/log/log.js';
import { PublishClient } from '../../src/rtmp/publish-client.js';
import { openFileStore } from '../../src/store/file/file-store.js';
import { FlvTagReader } from '../../src/wire/flv-reader.js';
import { MessageType } from '../../src/wire/message.js';
import { audioFrame, audioHeader, frame, metadata, videoHeader } from '../relay/fixtures.js';
import { waitFor } from '../support/wait.js';
import { curl } from './harness.js';

const cleanups: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  while (cleanups.length > 0) await cleanups.pop()?.();
});

const streamKeys = new StreamKeys(Buffer.alloc(32, 7));

interface Node {
  readonly access: Access;
  readonly control: Control;
  readonly api: RunningApi;
  readonly base: string;
  readonly rtmp: (name: string) => string;
}

async function node(media: object = {}, api: object = {}, mayPlay?: (camera: string) => void): Promise<Node> {
  const folder = await mkdtemp(join(tmpdir(), 'aggregator-live-'));
  cleanups.push(() => rm(folder, { recursive: true, force: true }));
  const store = await openFileStore({ dataDir: folder, log: silentLogger });
  cleanups.push(() => store.close());
  const settings = { ...defaultSettings(), host: '127.0.0.1', apiPort: 0, rtmpPort: 0, ...api };
  const ownMedia = { ...settings.media, publishGraceMs: 0, ...media };
  const backend = new NativeBackend({
    settings: { host: '127.0.0.1', rtmpPort: 0, media: ownMedia },
    log: silentLogger,
  });
  const { port } = await backend.start();
  cleanups.push(() => backend.stop(1000));
  const control = new Control({
    ...{ store, backend, streamKeys, log: silentLogger },
    settings: { ...settings, rtmpPort: port },
  });
  await control.start();
  cleanups.push(() => control.close());
  const access = await Access.open({ dataDir: folder, apiAuth: 'auto', jwtScopeClaim: 'scope', ...api }, silentLogger);
  cleanups.push(() => access.close());
  const running = await startApi({
    access,
    control,
    settings: { ...settings, rtmpPort: port },
    log: silentLogger,
    version: '0.0.0',
    ...(mayPlay === undefined ? {} : { mayPlay }),
  });
  cleanups.push(() => running.close());
  await control.cameras.add({ name: 'gate' }, undefined);
  return {
    access,
    control,
    api: running,
    base: `http://127.0.0.1:${running.port}`,
    rtmp: (name) => `rtmp://127.0.0.1:${port}/${name}/${name}`,
  };
}

/** A camera that sends a frame every 20 ms, each with its number, a key frame every 25. */
async function camera(url: string, { bytes = 200, everyMs = 20 } = {}) {
  const publisher = new PublishClient({ url, connectTimeoutMs: 5000 });
  await publisher.connect();
  let number = 0;
  publisher.write(MessageType.DataAmf0, 0, metadata(640));
  publisher.write(MessageType.Video, 0, videoHeader());
  publisher.write(MessageType.Audio, 0, audioHeader());
  const timer = setInterval(() => {
    publisher.write(MessageType.Video, number * 20, frame(number, number % 25 === 0, bytes));
    publisher.write(MessageType.Audio, number * 20, audioFrame(number));
    number++;
  }, everyMs);
  const stop = async (): Promise<void> => {
    clearInterval(timer);
    await publisher.close();
  };
  cleanups.push(stop);
  return { stop, sent: () => number };
}

interface Tag {
  readonly type: number;
  readonly timestampMs: number;
  readonly number: number;
  readonly isKey: boolean;
  readonly isHeader: boolean;
}

/** What a viewer got, read as FLV. */
class Watched {
  readonly tags: Tag[] = [];
  bytes = 0;
  /** The flags of the file header. */
  flags = -1;
  readonly #reader = new FlvTagReader((type, timestampMs, payload) => {
    const isVideo = type === MessageType.Video;
    const isHeader = type !== MessageType.DataAmf0 && payload[1] === 0;
    const number = isVideo && !isHeader ? payload.readUInt32BE(5) : -1;
    this.tags.push({ type, timestampMs, number, isHeader, isKey: isVideo && !isHeader && payload[0] === 0x17 });
  });

  feed(data: Buffer): void {
    if (this.bytes === 0) {
      expect(data.toString('latin1', 0, 3)).toBe('FLV');
      this.flags = data[4] ?? -1;
    }
    this.bytes += data.length;
    this.#reader.feed(data);
  }

  get frames(): Tag[] {
    return this.tags.filter(({ number }) => number >= 0);
  }

  /** Places where frames are missing; each must go on at a key frame. */
  gaps(): number {
    let gaps = 0;
    const { frames } = this;
    for (const [i, { number, isKey }] of frames.entries()) {
      const before = frames[i - 1];
      if (before === undefined || number === before.number + 1) continue;
      expect(number).toBeGreaterThan(before.number);
      expect(isKey).toBe(true);
      gaps++;
    }
    return gaps;
  }
}

class HttpViewer extends Watched {
  status = 0;
  ended: 'whole' | 'cut' | null = null;
  response: IncomingMessage | null = null;
  readonly #request: ClientRequest;

  constructor(url: string) {
    super();
    this.#request = get(url, { agent: false }, (response) => {
      this.status = response.statusCode ?? 0;
      this.response = response;
      response.on('data', (data: Buffer) => {
        if (this.status === 200) this.feed(data);
      });
      response.on('error', () => {});
      response.on('close', () => {
        this.ended = response.complete ? 'whole' : 'cut';
      });
    });
    this.#request.on('error', () => {
      this.ended ??= 'cut';
    });
    cleanups.push(() => this.close());
  }

  close(): void {
    this.#request.destroy();
  }
}

class SocketViewer extends Watched {
  readonly socket: WebSocket;
  closed: number | null = null;
  refused: number | null = null;
  texts = 0;

  constructor(url: string) {
    super();
    this.socket = new WebSocket(url);
    this.socket.binaryType = 'nodebuffer';
    this.socket.on('message', (data, isBinary) => {
      if (isBinary && Buffer.isBuffer(data)) this.feed(data);
      else this.texts++;
    });
    this.socket.on('unexpected-response', (request, response) => {
      this.refused = response.statusCode ?? 0;
      request.destroy();
    });
    this.socket.on('error', () => {});
    this.socket.on('close', (code) => {
      this.closed = code;
    });
    cleanups.push(() => this.socket.terminate());
  }
}

const live = async (made: Node, sent: () => number, frames: number): Promise<void> => {
  await waitFor(() => sent() >= frames && made.control.cameras.get('gate', undefined).live, {
    what: 'the live camera',
  });
};

it('a late viewer gets metadata, headers and the current key frame first, and nothing is missing after that', async () => {
  const made = await node();
  const { sent, stop } = await camera(made.rtmp('gate'));
  await live(made, sent, 40);
  const http = new HttpViewer(`${made.base}/live/gate.flv`);
  const socket = new SocketViewer(`${made.base.replace('http', 'ws')}/live/gate.flv`);
  await waitFor(() => http.frames.length > 40 && socket.frames.length > 40, { what: 'frames' });
  expect(made.control.cameras.get('gate', undefined).viewers).toBe(2);
  expect(http.response?.headers).toMatchObject({ 'content-type': 'video/x-flv', 'transfer-encoding': 'chunked' });
  await stop();
  await waitFor(() => http.ended !== null && socket.closed !== null, { what: 'the end' });
  for (const viewer of [http, socket]) {
    expect(viewer.flags).toBe(5);
    const [data, video, audio, first] = viewer.tags;
    expect([data?.type, data?.timestampMs]).toEqual([MessageType.DataAmf0, 0]);
    expect([video?.type, video?.isHeader, audio?.type, audio?.isHeader]).toEqual([9, true, 8, true]);
    expect(first?.isKey).toBe(true);
    expect((first?.number ?? 0) % 25).toBe(0);
    expect(first?.number).toBeGreaterThanOrEqual(25);
    // As the camera gave it.
    expect(first?.timestampMs).toBe((first?.number ?? 0) * 20);
    expect(viewer.gaps()).toBe(0);
    expect(viewer.frames.at(-1)?.number).toBe(sent() - 1);
  }
  expect(http.ended).toBe('whole');
  expect(socket.closed).toBe(1000);
  expect(made.control.cameras.get('gate', undefined).viewers).toBe(0);
});

it('a hundred viewers at once get the same, and their leaving disturbs nobody', async () => {
  const made = await node();
  const { sent } = await camera(made.rtmp('gate'));
  await live(made, sent, 5);
  const url = `${made.base}/live/gate.flv`;
  const viewers = Array.from({ length: 100 }, (_, i) =>
    i % 2 === 0 ? new HttpViewer(url) : new SocketViewer(url.replace('http', 'ws')),
  );
  await waitFor(() => viewers.every(({ frames }) => frames.length > 20), { what: 'frames for all', timeoutMs: 20_000 });
  expect(made.control.cameras.get('gate', undefined).viewers).toBe(100);
  for (const [i, viewer] of viewers.entries()) {
    if (i % 4 < 2) continue;
    if (viewer instanceof HttpViewer) viewer.close();
    else viewer.socket.close();
  }
  await waitFor(() => made.control.cameras.get('gate', undefined).viewers === 50, { what: 'half of them to be gone' });
  const newest = sent();
  const staying = viewers.filter((_, i) => i % 4 < 2);
  await waitFor(() => staying.every(({ frames }) => (frames.at(-1)?.number ?? 0) > newest), { what: 'more frames' });
  for (const viewer of staying) expect(viewer.gaps()).toBe(0);
});

it('slow readers cost themselves: they drop to key frames, stalled ones are cut, memory is bounded', async () => {
  const budget = { queueMaxBytes: 2e6, queueMaxAgeMs: 1500, stallTimeoutMs: 4000 };
  const made = await node(budget);
  const { sent } = await camera(made.rtmp('gate'), { bytes: 60_000, everyMs: 20 });
  await live(made, sent, 5);
  const url = `${made.base}/live/gate.flv`;
  const good = new HttpViewer(url);
  const stuckHttp = new HttpViewer(url);
  const stuckSocket = new SocketViewer(url.replace('http', 'ws'));
  const slow = new HttpViewer(url);
  const all = [good, stuckHttp, stuckSocket, slow];
  await waitFor(() => all.every(({ frames }) => frames.length > 2), { what: 'frames' });
  stuckHttp.response?.pause();
  stuckSocket.socket.pause();
  // Sips a third of what the good one got meanwhile, by bytes and not by time, since a busy machine sends and reads less;
  // and reads on once more lies between the two than the kernel's buffers may hold.
  slow.response?.pause();
  let seenBytes = good.bytes;
  const sips = setInterval(() => {
    const full = slow.bytes + (good.bytes - seenBytes) / 3;
    seenBytes = good.bytes;
    const sip = (): void => {
      if (slow.bytes >= full) slow.response?.off('data', sip).pause();
    };
    if (good.bytes - slow.bytes < 16e6) slow.response?.on('data', sip);
    slow.response?.resume();
  }, 1000);
  cleanups.push(() => clearInterval(sips));
  const before = process.memoryUsage().rss;
  await waitFor(() => made.control.cameras.get('gate', undefined).viewers === 2, {
    what: 'the stuck viewers to be cut',
    timeoutMs: 25_000,
  });
  await waitFor(() => slow.gaps() > 0, { what: 'the slow viewer to be left out of something', timeoutMs: 50_000 });
  expect(slow.ended).toBeNull();
  expect(good.gaps()).toBe(0);
  expect(good.ended).toBeNull();
  expect(process.memoryUsage().rss - before).toBeLessThan(150e6);
  stuckSocket.socket.resume();
  stuckHttp.response?.resume();
  await waitFor(() => stuckHttp.ended === 'cut' && stuckSocket.closed === 1006, { what: 'both to see it' });
}, 100_000);

it('refuses with a status, also before an upgrade: unknown, not live, too many, forbidden', async () => {
  const mayPlay = (name: string): void => {
    if (name === 'secret') throw new CodedError('PLAY_NOT_FOUND', 'not for you');
  };
  const made = await node({ maxViewersPerCamera: 1 }, { maxHttpViewers: 2 }, mayPlay);
  for (const name of ['secret', 'yard', 'shed']) await made.control.cameras.add({ name }, undefined);
  const refusals = async (name: string): Promise<unknown[]> => {
    const url = `${made.base}/live/${name}.flv`;
    const answer = await curl(url);
    const socket = new SocketViewer(url.replace('http', 'ws'));
    await waitFor(() => socket.refused !== null, { what: 'the refusal' });
    return [answer.status, answer.json.code, socket.refused];
  };
  expect(await refusals('nobody')).toEqual([404, 'CAMERA_NOT_FOUND', 404]);
  expect(await refusals('gate')).toEqual([404, 'CAMERA_NOT_LIVE', 404]);
  expect(await refusals('secret')).toEqual([404, 'PLAY_NOT_FOUND', 404]);
  expect(await refusals('a%20b')).toEqual([400, 'INVALID_NAME', 400]);
  for (const name of ['gate', 'yard', 'shed']) {
    const { sent } = await camera(made.rtmp(name));
    await waitFor(() => sent() > 2 && made.control.cameras.get(name, undefined).live, { what: name });
  }
  const watching = new HttpViewer(`${made.base}/live/gate.flv`);
  await waitFor(() => watching.frames.length > 0, { what: 'a frame' });
  expect(await refusals('gate')).toEqual([409, 'LIMIT_REACHED', 409]);
  const other = new SocketViewer(`${made.base.replace('http', 'ws')}/live/yard.flv`);
  await waitFor(() => other.frames.length > 0, { what: 'a frame' });
  expect(await refusals('shed')).toEqual([409, 'LIMIT_REACHED', 409]);
  // What was refused is not counted.
  other.socket.close();
  await waitFor(() => made.control.cameras.get('yard', undefined).viewers === 0, { what: 'it to leave' });
  const next = new HttpViewer(`${made.base}/live/shed.flv`);
  await waitFor(() => next.frames.length > 0, { what: 'a frame' });
});

it('asks for a token like any call, before an upgrade too, and ends what a revoked one watches', async () => {
  const made = await node({}, { apiAuth: 'on' });
  const { sent } = await camera(made.rtmp('gate'));
  await live(made, sent, 2);
  const url = `${made.base}/live/gate.flv`;
  expect((await curl(url)).status).toBe(401);
  const refused = new SocketViewer(url.replace('http', 'ws'));
  await waitFor(() => refused.refused === 401, { what: 'the refusal' });
  const { token } = await made.access.tokens.create({ name: 'wall', scope: 'read' });
  const http = new HttpViewer(`${url}?token=${token}`);
  const socket = new SocketViewer(`${url.replace('http', 'ws')}?token=${token}`);
  await waitFor(() => http.frames.length > 0 && socket.frames.length > 0, { what: 'frames' });
  await made.access.tokens.revoke('wall');
  await waitFor(() => http.ended !== null && socket.closed === 1001, { what: 'the end of both' });
});

it('a play token opens the video of its camera, and nothing else', async () => {
  const made = await node({}, { apiAuth: 'on', media: { ...defaultSettings().media, playAuth: 'token' } });
  await made.control.cameras.add({ name: 'yard' }, undefined);
  const { sent } = await camera(made.rtmp('gate'));
  await live(made, sent, 2);
  const url = `${made.base}/live/gate.flv`;
  const admin = await made.access.tokens.create({ name: 'admin', scope: 'operate' });
  const response = await fetch(`${made.base}/v1/cameras/gate/play-tokens`, {
    method: 'POST',
    headers: { authorization: `Bearer ${admin.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ seconds: 60 }),
  });
  const { token, httpUrl } = (await response.json()) as { token: string; httpUrl: string };
  // The host is where others reach this machine.
  const local = httpUrl.replace(/^http:\/\/[^:]+:/, 'http://127.0.0.1:');
  expect(local).toBe(`${url}?playToken=${token}`);
  const http = new HttpViewer(local);
  const socket = new SocketViewer(`${url.replace('http', 'ws')}?playToken=${token}`);
  await waitFor(() => http.frames.length > 0 && socket.frames.length > 0, { what: 'frames' });
  const other = made.control.cameras.playToken('yard', 60, undefined).token;
  const expired = made.control.cameras.playToken('gate', -60, undefined).token;
  for (const wrong of [other, expired, '', `${token}&playToken=${token}`, `${token}&token=${token}`]) {
    expect((await curl(`${url}?playToken=${wrong}`)).status, wrong).toBe(401);
  }
  for (const path of ['/live/yard.flv', '/v1/cameras/gate', '/v1/cameras/gate/picture', '/v1/session', '/metrics']) {
    expect((await curl(`${made.base}${path}?playToken=${token}`)).status, path).toBe(401);
    expect((await curl(`${made.base}${path}?token=${token}`)).status, path).toBe(401);
  }
});

it.each([{ playAuth: 'off' as const }, { playAuth: 'token' as const, onPlay: 'http://127.0.0.7:9/hook?secret=abc' }])(
  'no play token opens anything over HTTP with %o',
  async (media) => {
    const made = await node({}, { apiAuth: 'on', media: { ...defaultSettings().media, ...media } });
    const token = streamKeys.playToken('gate', Date.now() + 60_000);
    const here = { scheme: 'http', port: 5000 };
    const view = media.playAuth === 'off' ? {} : made.control.cameras.playToken('gate', 60, undefined, here);
    expect(view).not.toHaveProperty('httpUrl');
    expect((await curl(`${made.base}/live/gate.flv?playToken=${token}`)).status).toBe(401);
  },
);

it('the query of the URL of an auth hook is shown to nobody', async () => {
  const onPlay = 'http://127.0.0.7:9/hook?secret=abc';
  const made = await node({}, { media: { ...defaultSettings().media, onPlay } });
  const { body } = await curl(`${made.base}/v1/config`);
  expect(body).toContain('"http://127.0.0.7:9/hook?***"');
  expect(body).not.toContain('secret=abc');
});

it('stays through the grace of a camera that comes back, and ends when it does not', async () => {
  const made = await node({ publishGraceMs: 2000 });
  const first = await camera(made.rtmp('gate'));
  await live(made, first.sent, 5);
  const http = new HttpViewer(`${made.base}/live/gate.flv`);
  await waitFor(() => http.frames.length > 5, { what: 'frames' });
  await first.stop();
  const before = http.tags.length;
  const second = await camera(made.rtmp('gate'));
  await waitFor(() => second.sent() > 30 && http.tags.length > before + 30, { what: 'frames of the return' });
  const after = http.tags.slice(before).filter(({ number }) => number >= 0);
  expect(after[0]).toMatchObject({ isKey: true, number: 0 });
  const times = http.frames.map(({ timestampMs }) => timestampMs);
  expect([...times].sort((a, b) => a - b)).toEqual(times);
  await second.stop();
  await waitFor(() => http.ended !== null, { what: 'the end of the grace' });
  expect(http.ended).toBe('whole');
});

it('a camera that is removed ends its viewers and no other; the end of the aggregator ends all, at once', async () => {
  const made = await node();
  await made.control.cameras.add({ name: 'yard' }, undefined);
  for (const name of ['gate', 'yard']) {
    const { sent } = await camera(made.rtmp(name));
    await waitFor(() => sent() > 2 && made.control.cameras.get(name, undefined).live, { what: name });
  }
  const gate = new HttpViewer(`${made.base}/live/gate.flv`);
  const yard = new HttpViewer(`${made.base}/live/yard.flv`);
  const socket = new SocketViewer(`${made.base.replace('http', 'ws')}/live/yard.flv`);
  await waitFor(() => [gate, yard, socket].every(({ frames }) => frames.length > 0), { what: 'frames' });
  await made.control.cameras.remove('gate');
  await waitFor(() => gate.ended === 'whole', { what: 'the end' });
  expect(yard.ended).toBeNull();
  const startedAt = performance.now();
  await made.api.close();
  expect(performance.now() - startedAt).toBeLessThan(5000);
  await waitFor(() => yard.ended === 'whole' && socket.closed === 1001, { what: 'the end' });
});

it('whoever keeps up gets all there was of a stream at the end of the aggregator, and at that of the camera', async () => {
  for (const end of ['aggregator', 'camera'] as const) {
    const made = await node({ flushWindowMs: 350, audioWindowMs: 100 });
    const publisher = new PublishClient({ url: made.rtmp('gate'), connectTimeoutMs: 5000 });
    await publisher.connect();
    cleanups.push(() => publisher.close());
    publisher.write(MessageType.Video, 0, videoHeader());
    publisher.write(MessageType.Video, 0, frame(0, true, 200));
    const bytesIn = (): number => made.control.cameras.get('gate', undefined).bytesIn ?? 0;
    await waitFor(() => bytesIn() > 200, { what: 'the first frame' });
    const http = new HttpViewer(`${made.base}/live/gate.flv`);
    const socket = new SocketViewer(`${made.base.replace('http', 'ws')}/live/gate.flv`);
    await waitFor(() => http.frames.length > 0 && socket.frames.length > 0, { what: 'the key frame' });
    // The first opens a window, in which the second waits.
    for (const number of [1, 2]) {
      const before = bytesIn();
      publisher.write(MessageType.Video, number * 40, frame(number, false, 200));
      await waitFor(() => bytesIn() >= before + 200, { what: 'a frame', intervalMs: 2 });
    }
    if (end === 'aggregator') await made.api.close();
    else await made.control.cameras.remove('gate');
    await waitFor(() => http.ended === 'whole' && socket.closed !== null, { what: 'the end' });
    for (const { frames } of [http, socket]) expect(frames.map(({ number }) => number)).toEqual([0, 1, 2]);
  }
});

it('what a viewer sends over its WebSocket is ignored, and too much of it ends it', async () => {
  const made = await node();
  const { sent } = await camera(made.rtmp('gate'));
  await live(made, sent, 2);
  const viewer = new SocketViewer(`${made.base.replace('http', 'ws')}/live/gate.flv`);
  await waitFor(() => viewer.frames.length > 0, { what: 'a frame' });
  viewer.socket.send('hello');
  viewer.socket.send(Buffer.alloc(1000));
  const seen = viewer.frames.length;
  await waitFor(() => viewer.frames.length > seen + 10, { what: 'more frames' });
  viewer.socket.send(Buffer.alloc(100_000));
  await waitFor(() => viewer.closed !== null, { what: 'the end' });
  await waitFor(() => made.control.cameras.get('gate', undefined).viewers === 0, { what: 'it to be gone' });
});

it('a client that asks for HTTP/2 by an upgrade is answered, its body and its next request too', async () => {
  const made = await node();
  const json = ['-H', 'content-type: application/json'];
  const body = JSON.stringify({ name: 'x'.repeat(40) });
  const added = await curl('--http2', ...json, '-d', body, `${made.base}/v1/cameras`);
  expect([added.status, added.json.name]).toEqual([201, 'x'.repeat(40)]);
  const twice = await curl('--http2', `${made.base}/healthz`, `${made.base}/v1/cameras/gate`);
  expect(twice.body).toContain('"gate"');
});

it.each([
  ['a broken escape', '/live/%zz.flv'],
  ['a name too long for any', `/live/${'a'.repeat(300)}.flv`],
  ['a call of the API', '/v1/config'],
  ['what is open to all', '/healthz'],
])('upgrades nothing for %s, and goes on with the connection as with any other', async (_, path) => {
  const made = await node();
  const ask =
    'connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==';
  const socket = connect(made.api.port, '127.0.0.1');
  cleanups.push(() => socket.destroy());
  let answer = '';
  socket.on('data', (data) => {
    answer += data;
  });
  socket.write(`GET ${path} HTTP/1.1\r\nhost: localhost\r\n${ask}\r\n\r\n`);
  await waitFor(() => answer.includes('\r\n\r\n'), { what: 'an answer' });
  expect(answer).toMatch(/^HTTP\/1\.1 (?:200|400|414) /);
  // Who serves the connection takes its next request, and ends it by its own deadlines when there is none.
  socket.write('GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n');
  await waitFor(() => socket.closed, { what: 'the end' });
  expect(answer.match(/HTTP\/1\.1 200 /g)?.length).toBe(path.startsWith('/live') ? 1 : 2);
});

it('the newest key frame is a file of one picture, with a tag that changes with it', async () => {
  const made = await node();
  const url = `${made.base}/v1/cameras/gate/picture`;
  expect((await curl(url)).json.code).toBe('CAMERA_NOT_LIVE');
  const { sent, stop } = await camera(made.rtmp('gate'), { bytes: 5000 });
  await live(made, sent, 1);
  await waitFor(async () => (await fetch(url)).status === 200, { what: 'the first key frame' });
  const response = await fetch(url);
  expect(response.headers.get('content-type')).toBe('video/mp4');
  expect(response.headers.get('cache-control')).toBe('private, max-age=1');
  const mp4 = Buffer.from(await response.arrayBuffer());
  // The picture is that of a key frame, byte by byte, behind the box's length and name.
  const picture = mp4.subarray(mp4.indexOf('mdat') + 4, mp4.indexOf('moov') - 4);
  const sums = Array.from({ length: 4 }, (_, i) => sum(frame(i * 25, true, 5000).subarray(5)));
  expect(sums).toContain(sum(picture));
  expect(mp4.includes(videoHeader().subarray(5))).toBe(true);
  const etag = response.headers.get('etag') ?? '';
  const statuses = new Set<number>();
  await waitFor(
    async () => {
      statuses.add((await fetch(url, { headers: { 'if-none-match': etag } })).status);
      return statuses.has(200);
    },
    { what: 'the next key frame' },
  );
  expect([...statuses]).toEqual([304, 200]);
  await stop();
  // The last one stays, and goes with the camera.
  await waitFor(async () => !(await curl(`${made.base}/v1/cameras/gate`)).json.live, { what: 'the end' });
  const last = await fetch(url);
  expect([last.status, last.headers.get('content-type')]).toEqual([200, 'video/mp4']);
  expect((await last.arrayBuffer()).byteLength).toBeGreaterThan(5000);
  await fetch(`${made.base}/v1/cameras/gate`, { method: 'DELETE' });
  await curl(`${made.base}/v1/cameras`, '-d', '{"name":"gate"}', '-H', 'content-type: application/json');
  expect((await curl(url)).json.code).toBe('CAMERA_NOT_LIVE');
  expect((await fetch(`${url}?optional=true`)).status).toBe(204);
});

function sum(data: Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}
