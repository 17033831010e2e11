import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { StreamKeys } from '../../src/admission/stream-keys.js';
import { NativeBackend } from '../../src/backend/native/native-backend.js';
import { defaultSettings } from '../../src/config/index.js';
import { TargetError } from '../../src/errors.js';
import type { LogFields, Logger } from '../../src/log/log.js';
import { PublishClient } from '../../src/rtmp/publish-client.js';
import { encodeMessage } from '../../src/wire/chunk-writer.js';
import { MessageType } from '../../src/wire/message.js';
import { RawClient } from '../backend/native/raw-client.js';
import { healthy, startTarget, until } from '../push/targets.js';
import { frame, videoHeader } from '../relay/fixtures.js';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  while (cleanups.length > 0) await cleanups.pop()?.();
});

/** Everything that is logged, as text. */
class Everything implements Logger {
  text = '';
  readonly #note = (message: string, fields: LogFields = {}): void => {
    this.text += `${message} ${JSON.stringify(fields)}\n`;
  };
  debug = this.#note;
  info = this.#note;
  warn = this.#note;
  error = this.#note;
  child(fields: LogFields): Logger {
    this.#note('child', fields);
    return this;
  }
}

const secret = randomBytes(32);
const keys = new StreamKeys(secret);
const goodKey = keys.generated('gate', 'one');

async function node(changes: object = {}, host = '127.0.0.1') {
  const log = new Everything();
  const media = { ...defaultSettings().media, pushRetryMinMs: 50, publishGraceMs: 0, ...changes };
  const settings = { host, rtmpPort: 0, media, streamSecret: secret.toString('hex') };
  const backend = new NativeBackend({ settings, log });
  const { port } = await backend.start();
  cleanups.push(() => backend.stop(2000));
  const shown = host === '::' ? '[::1]' : host;
  const declare = (...pushes: string[]): void =>
    backend.setCamera({
      name: 'gate',
      pushes: pushes.map((url, i) => ({ id: `p${i}`, url, enabled: true })),
      publishKeys: [{ tag: keys.tag('gate', goodKey) }],
    });
  declare();
  return { backend, log, port, declare, url: (query = '') => `rtmp://${shown}:${port}/gate/gate${query}` };
}

const attempt = async (url: string): Promise<string> => {
  const publisher = new PublishClient({ url, connectTimeoutMs: 5000 });
  try {
    await publisher.connect();
    await publisher.close();
    return 'accepted';
  } catch (error) {
    return error instanceof TargetError ? error.message : String(error);
  }
};

/** An auth hook that answers as the test says; its calls are kept. */
async function backEnd(answer: (fields: URLSearchParams, response: ServerResponse) => void) {
  const asked: { method: string; type: string; text: string; fields: URLSearchParams }[] = [];
  const server = createServer((request: IncomingMessage, response) => {
    let text = '';
    request.on('data', (data: Buffer) => {
      text += data.toString();
    });
    request.on('end', () => {
      const fields = new URLSearchParams(text);
      asked.push({ method: request.method ?? '', type: request.headers['content-type'] ?? '', text, fields });
      answer(fields, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook?site=7`, asked };
}

describe('with publish keys', () => {
  it('only the right key gets in, in the query of the stream or of the application; none is logged', async () => {
    const { url, log, backend } = await node({ publishAuth: 'key' });
    expect(await attempt(url())).toContain('is published with a key');
    expect(await attempt(url('?key=WRONG-KEY-7'))).toContain('the key is not the key of camera gate');
    expect(await attempt(url(`?key=${keys.generated('other', 'one')}`))).toContain('the key is not');
    expect(await attempt(url(`?key=${goodKey}`))).toBe('accepted');
    expect(await attempt(url(`?a=b&key=${goodKey}`))).toBe('accepted');
    expect(await attempt(url().replace('/gate/gate', `/gate?key=${goodKey}/gate`))).toBe('accepted');
    expect(log.text).toContain('PUBLISH_FORBIDDEN');
    const shown = log.text + JSON.stringify([backend.camera('gate'), backend.events('gate')]);
    expect(shown).not.toContain(goodKey);
    expect(shown).not.toContain('WRONG-KEY-7');
  });

  it('who guesses is slowed down; a camera at the same address that had the key before is not', async () => {
    const { url } = await node({ publishAuth: 'key' });
    expect(await attempt(url(`?key=${goodKey}`))).toBe('accepted');
    for (let i = 0; i < 6; i++) expect(await attempt(url(`?key=guess${i}`))).toContain('the key is not');
    // Not even looked at.
    expect(await attempt(url('?key=guess7'))).toContain('too many wrong keys');
    expect(await attempt(url(`?key=${goodKey}`))).toBe('accepted');
  });

  it('a key that ended, or was taken away, is refused from then on; who publishes with it goes on', async () => {
    const { backend, url } = await node({ publishAuth: 'key' });
    const publisher = new PublishClient({ url: url(`?key=${goodKey}`), connectTimeoutMs: 5000 });
    await publisher.connect();
    cleanups.push(() => publisher.close());
    const next = keys.generated('gate', 'two');
    const declare = (untilMs: number): void =>
      backend.setCamera({
        name: 'gate',
        pushes: [],
        publishKeys: [{ tag: keys.tag('gate', next) }, { tag: keys.tag('gate', goodKey), untilMs }],
      });
    declare(Date.now() + 60_000);
    expect(await attempt(url(`?key=${goodKey}`))).toContain('is live from');
    declare(Date.now() - 1);
    expect(await attempt(url(`?key=${goodKey}`))).toContain('the key is not');
    expect(backend.camera('gate')?.live).toBe(true);
    await publisher.close();
    await until(() => backend.camera('gate')?.live === false, 20_000, 'gone');
    expect(await attempt(url(`?key=${next}`))).toBe('accepted');
  });
});

describe('with play tokens', () => {
  it('only a token that holds lets a viewer in; a replay after its end does not', async () => {
    const { port, log } = await node({ playAuth: 'token' });
    const play = (query: string) => RawClient.play(port, 'gate', `gate${query}`);
    const token = keys.playToken('gate', Date.now() + 2000);
    expect(await play('')).toContain('NetStream.Play.Failed');
    expect(await play('?token=WRONG-TOKEN-7')).toContain('NetStream.Play.Failed');
    expect(await play(`?token=${keys.playToken('other', Date.now() + 60_000)}`)).toContain('NetStream.Play.Failed');
    expect(await play(`?token=${token}`)).toContain('NetStream.Play.Start');
    await new Promise((resolve) => setTimeout(resolve, 3100));
    const replay = await play(`?token=${token}`);
    expect(replay).toContain('NetStream.Play.Failed');
    expect(replay).toContain('has expired');
    expect(log.text).not.toContain(token);
    expect(log.text).not.toContain('WRONG-TOKEN-7');
  });

  it('play-auth local lets this machine in without one, over IPv6 too', async () => {
    const { port } = await node({ playAuth: 'local' }, '::');
    expect(await RawClient.play(port, 'gate', 'gate', '127.0.0.1')).toContain('NetStream.Play.Start');
    expect(await RawClient.play(port, 'gate', 'gate', '::1')).toContain('NetStream.Play.Start');
  });
});

describe('hooks', () => {
  it("ask with the fields of nginx-rtmp's on_publish and on_play, arguments behind them, none in place of a field", async () => {
    const { url: onPublish, asked } = await backEnd((_fields, response) => response.end());
    const { url, port } = await node({ onPublish, onPlay: onPublish });
    expect(await attempt(url('?user=7&name=other&call=play&x=a%26b'))).toBe('accepted');
    expect(await RawClient.play(port, 'gate', 'gate?t=1')).toContain('NetStream.Play.Start');
    const [publish, play] = asked;
    expect(publish).toMatchObject({ method: 'POST', type: 'application/x-www-form-urlencoded' });
    expect(Object.fromEntries(publish?.fields ?? [])).toMatchObject({
      ...{ app: 'gate', name: 'gate', call: 'publish', type: 'live', addr: '127.0.0.1', user: '7', x: 'a&b' },
      tcurl: expect.stringContaining('/gate'),
      flashver: expect.stringContaining('FMLE'),
      clientid: expect.stringMatching(/^\d+$/),
    });
    expect(publish?.fields.getAll('name')).toEqual(['gate']);
    expect(publish?.fields.getAll('call')).toEqual(['publish']);
    expect(Object.fromEntries(play?.fields ?? [])).toMatchObject({ call: 'play', name: 'gate', t: '1' });
  });

  it('ask in JSON where the settings say so, with what the peer says apart; what is left out is counted', async () => {
    const { url: onPublish, asked } = await backEnd((_fields, response) => response.end());
    const json = { onPublishFormat: 'json', onPlayFormat: 'json' };
    const { url, port } = await node({ onPublish, onPlay: onPublish, ...json });
    expect(await attempt(url('?user=7&name=other'))).toBe('accepted');
    expect(await RawClient.play(port, 'gate', 'gate?camera=other')).toContain('NetStream.Play.Start');
    const [publish, play] = asked;
    expect(publish).toMatchObject({ method: 'POST', type: 'application/json' });
    expect(JSON.parse(publish?.text ?? '')).toMatchObject({
      ...{ call: 'publish', camera: 'gate', address: '127.0.0.1', query: { user: '7', name: 'other' } },
    });
    expect(JSON.parse(play?.text ?? '')).toMatchObject({ call: 'play', camera: 'gate', query: { camera: 'other' } });
    const form = await node({ onPublish });
    expect(await attempt(form.url('?%20name=other&site=8&name[]=x&user=7'))).toBe('accepted');
    expect(form.log.text).toMatch(/left out of calls to the auth hook on-publish.*"dropped":3/);
    expect(asked.at(-1)?.fields.getAll('user')).toEqual(['7']);
    expect([...(asked.at(-1)?.fields.keys() ?? [])].filter((name) => /name|site/.test(name))).toEqual(['name']);
  });

  it('refuse by 4xx and by 3xx, which is not followed; unknown cameras are not asked about', async () => {
    let status = 403;
    const { url: onPublish, asked } = await backEnd((_fields, response) => {
      response.writeHead(status, status < 400 ? { location: 'http://127.0.0.1:9/elsewhere' } : {});
      response.end();
    });
    const { url } = await node({ onPublish });
    expect(await attempt(url())).toContain('it answered 403');
    status = 302;
    expect(await attempt(url())).toContain('it answered 302');
    status = 204;
    expect(await attempt(url())).toBe('accepted');
    expect(await attempt(url().replace(/gate\/gate$/, 'none/none'))).toContain('no camera is registered');
    expect(asked.length).toBe(3);
  });

  it.each([
    ['closed', 'could not be asked'],
    ['open', 'accepted'],
  ])('that fail leave it %s by choice: no answer in time, nobody there, 500', async (hookFailure, outcome) => {
    let answer = (response: ServerResponse): void => void response;
    const { url: onPublish } = await backEnd((_fields, response) => answer(response));
    const { url } = await node({ onPublish, hookFailure, hookTimeoutMs: 300 });
    expect(await attempt(url())).toContain(outcome);
    answer = (response) => void response.writeHead(500).end();
    expect(await attempt(url())).toContain(outcome);
    const nobody = await node({ onPublish: 'http://127.0.0.1:9/', hookFailure, hookTimeoutMs: 2000 });
    expect(await attempt(nobody.url())).toContain(outcome);
  });

  it('who sends before the answer loses nothing, and is not read further than a little', async () => {
    let allow = (): void => {};
    const { url: onPublish } = await backEnd((_fields, response) => {
      allow = () => void response.end();
    });
    const { backend, port, declare } = await node({ onPublish, hookTimeoutMs: 10_000 });
    const target = await startTarget(healthy);
    cleanups.push(() => target.close());
    declare(target.url);
    const client = await RawClient.open(port, 'gate');
    cleanups.push(async () => client.close());
    const video = (number: number, payload: Buffer): Buffer =>
      encodeMessage(6, MessageType.Video, number * 20, 1, payload, 128);
    // The first frame is larger than anything that is taken from who does not publish.
    const frames = [frame(0, true, 150_000), ...Array.from({ length: 400 }, (_, i) => frame(i + 1, false, 5000))];
    client.send(Buffer.concat([client.publishCommand('gate'), video(0, videoHeader()), video(0, frames[0]!)]));
    for (const [i, payload] of frames.slice(1).entries()) client.send(video(i + 1, payload));
    await new Promise((resolve) => setTimeout(resolve, 700));
    expect(backend.camera('gate')?.live).toBe(false);
    allow();
    await until(() => backend.push('gate', 'p0')?.state === 'active', 20_000, 'active');
    const arrived = () => target.media.filter(({ type, payload }) => type === MessageType.Video && payload[1] === 1);
    await until(() => arrived().length === frames.length, 20_000, 'every frame');
    expect(arrived().map(({ payload }) => payload.readUInt32BE(5))).toEqual(frames.map((_, i) => i));
  });

  it('are waited for once more when what was kept asks for something else', async () => {
    const answers: (() => void)[] = [];
    const { url: hook } = await backEnd((_fields, response) => answers.push(() => void response.end()));
    const { backend, port } = await node({ onPublish: hook, onPlay: hook, hookTimeoutMs: 10_000 });
    const client = await RawClient.open(port, 'gate');
    cleanups.push(async () => client.close());
    client.send(Buffer.concat([client.publishCommand('gate'), client.createStream(), client.playCommand(2, 'gate')]));
    await until(() => answers.length === 1, 20_000, 'the first question');
    answers[0]?.();
    await until(() => answers.length === 2, 20_000, 'the second question');
    expect(backend.camera('gate')).toMatchObject({ live: true, viewers: 0 });
    answers[1]?.();
    await until(() => backend.camera('gate')?.viewers === 1, 20_000, 'the viewer');
  });

  it('whose answer comes when the peer is gone, or its time is over, let nobody in', async () => {
    const answers: (() => void)[] = [];
    const { url: onPublish } = await backEnd((_fields, response) => answers.push(() => void response.end()));
    const { backend, port } = await node({ onPublish, hookTimeoutMs: 10_000, handshakeTimeoutMs: 1000 });
    const client = await RawClient.open(port, 'gate');
    client.send(client.publishCommand('gate'));
    await until(() => answers.length === 1, 20_000, 'the question');
    await until(() => client.isClosed, 20_000, 'the deadline of the connection');
    answers[0]?.();
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(backend.camera('gate')?.live).toBe(false);
  });
});

it('IPv6: publish, play and push on ::1', async () => {
  const { backend, declare, port, url } = await node({}, '::');
  const far = await node({}, '::');
  declare(far.url());
  const publisher = new PublishClient({ url: url(), connectTimeoutMs: 5000 });
  await publisher.connect();
  cleanups.push(() => publisher.close());
  publisher.write(MessageType.Video, 0, videoHeader());
  let number = 0;
  const timer = setInterval(() => publisher.write(MessageType.Video, number * 20, frame(number++, true)), 20);
  cleanups.push(async () => clearInterval(timer));
  await until(() => backend.push('gate', 'p0')?.state === 'active', 20_000, 'active');
  expect(backend.camera('gate')?.publisher).toMatch(/^\[::1\]:\d+$/);
  expect(far.backend.camera('gate')).toMatchObject({ live: true });
  expect(await RawClient.play(port, 'gate', 'gate', '::1')).toContain('NetStream.Play.Start');
  expect(backend.refuses(url())?.code).toBe('TARGET_FORBIDDEN');
});
