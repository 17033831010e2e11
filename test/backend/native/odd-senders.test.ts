import { afterEach, describe, expect, it } from 'vitest';
import { StreamKeys } from '../../../src/admission/stream-keys.js';
import { NativeBackend } from '../../../src/backend/native/native-backend.js';
import { defaultSettings } from '../../../src/config/index.js';
import type { LogFields, Logger } from '../../../src/log/log.js';
import { until } from '../../push/targets.js';
import { amf, oddCommand, oddMessage } from '../../support/odd-bytes.js';
import { OddSender, picture, videoMessage } from '../../support/odd-sender.js';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  while (cleanups.length > 0) await cleanups.pop()?.();
});

async function node(changes: object = {}) {
  const warnings: LogFields[] = [];
  const note = (message: string, fields: LogFields = {}): void => {
    warnings.push({ message, ...fields });
  };
  const log: Logger = { debug() {}, info() {}, warn: note, error: note, child: () => log };
  const media = { ...defaultSettings().media, publishGraceMs: 0, ...changes };
  const streamSecret = '5a'.repeat(32);
  const backend = new NativeBackend({ settings: { host: '127.0.0.1', rtmpPort: 0, media, streamSecret }, log });
  const { port } = await backend.start();
  cleanups.push(() => backend.stop(1000));
  backend.setCamera({ name: 'gate', pushes: [] });
  backend.setCamera({ name: 'yard', pushes: [] });
  const open = async (): Promise<OddSender> => {
    const sender = await OddSender.open(port);
    cleanups.push(() => sender.close());
    return sender;
  };
  return { backend, warnings, open, keys: new StreamKeys(Buffer.from(streamSecret, 'hex')) };
}

const publishOn = (streamId: number, name: string): Buffer =>
  oddCommand(streamId, amf.string('publish'), amf.number(7), amf.null(), amf.string(name));
const start = 'NetStream.Publish.Start';
const ping = oddMessage({ type: 4, csid: 2, payload: Buffer.from([0, 6, 0, 0, 0, 1]) });

describe('where the name stands', () => {
  it.each<[Record<string, string>, string]>([
    [{ app: 'gate' }, 'gate'],
    [{ app: 'gate' }, ''],
    [{ app: 'gate/gate' }, ''],
    [{ app: '' }, 'gate/gate'],
    [{}, 'gate/gate'],
    [{ app: '' }, 'gate'],
    [{ app: 'gate/_definst_' }, 'flv:gate'],
    [{ app: ' gate ' }, 'gate.flv'],
    [{ app: 'gate//' }, '/gate'],
    [{ app: 'gate%2Fgate' }, ''],
    [{ tcUrl: 'RTMP://127.0.0.1/gate/gate' }, ''],
  ])('%j and %j publish camera gate', async (properties, name) => {
    const { backend, open } = await node();
    const sender = await open();
    await sender.connect(properties);
    expect(await sender.publish(name)).toBe(start);
    expect(backend.camera('gate')?.live).toBe(true);
    expect(backend.camera('yard')?.live).toBe(false);
  });

  it.each<[Record<string, string>, string]>([
    [{ app: 'gate' }, 'gate?key='],
    [{ app: 'gate' }, 'gate&key='],
    [{ app: 'gate' }, '?key='],
    [{ app: 'gate/gate?key=' }, ''],
    [{ app: 'gate?key=' }, 'gate'],
    [{ app: '' }, 'gate/gate?key='],
    [{ app: '' }, 'gate%2Fgate%3Fkey='],
    [{ app: 'gate', tcUrl: 'rtmp://127.0.0.1/gate?key=' }, 'gate'],
    [{ tcUrl: 'rtmp://127.0.0.1/gate/gate?key=' }, ''],
    [{ app: 'gate' }, 'rtmp://127.0.0.1/gate/gate?key='],
  ])('%j and %j: the key is read there, and no other lets in', async (properties, name) => {
    const { backend, open, keys } = await node({ publishAuth: 'key' });
    for (const camera of ['gate', 'yard']) {
      const publishKeys = [{ tag: keys.tag(camera, keys.generated(camera, 'a')) }];
      backend.setCamera({ name: camera, pushes: [], publishKeys });
    }
    const fill = (text: string, key: string): string => text.replace(/([?&]|%3F)key=/, (found) => found + key);
    const attempt = async (key: string): Promise<string> => {
      const sender = await open();
      const filled = Object.entries(properties).map(([field, value]) => [field, fill(value, key)]);
      await sender.connect(Object.fromEntries(filled));
      const code = await sender.publish(fill(name, key));
      sender.close();
      return code;
    };
    const refused = 'NetStream.Publish.BadName';
    expect(await attempt('')).toBe(refused);
    expect(await attempt('wrong')).toBe(refused);
    expect(await attempt(keys.generated('yard', 'a'))).toBe(refused);
    expect(backend.camera('gate')?.live).toBe(false);
    expect(await attempt(keys.generated('gate', 'a'))).toBe(start);
  });

  it('says how the fields are filled in where nothing can be meant, and never what may be a key', async () => {
    const { open, warnings } = await node();
    const app = await open();
    await app.connect({ app: 'live' });
    expect(app.descriptions().join()).toMatch(/"live".*Server is rtmp:\/\/HOST:PORT\/NAME and Key is NAME/);
    const key = await open();
    await key.connect({ app: 'gate' });
    expect(await key.publish('s3cret')).toBe('NetStream.Publish.BadName');
    expect(key.descriptions().join()).toMatch(/Server is rtmp:\/\/HOST:PORT\/gate and Key is gate/);
    const none = await open();
    await none.connect({ app: '' });
    expect(await none.publish('s3cret/s3cret')).toBe('NetStream.Publish.BadName');
    expect(none.descriptions().join()).toMatch(/Server is rtmp/);
    await until(() => warnings.length >= 3, 20_000, 'the lines');
    expect(warnings.map(({ reason }) => reason)).toEqual([
      expect.stringContaining('PUBLISH_NOT_REGISTERED'),
      expect.stringContaining('Key is gate'),
      expect.stringContaining('Server is'),
    ]);
    expect(JSON.stringify(warnings)).not.toContain('s3cret');
  });

  it('is one camera for one connection', async () => {
    const { backend, open } = await node();
    const sender = await open();
    await sender.connect({ app: '' });
    expect(await sender.publish('gate/gate')).toBe(start);
    sender.send(publishOn(5, 'yard/yard'));
    await until(() => sender.codes().includes('NetStream.Publish.BadName'), 20_000, 'the refusal');
    expect(backend.camera('yard')?.live).toBe(false);
    sender.send(videoMessage(1, 0, picture.header));
    await until(() => (backend.camera('gate')?.bytesIn ?? 0) > 0, 20_000, 'media');
  });
});

describe('what flows', () => {
  it('is not ended by a publish on the same connection that is refused', async () => {
    const { backend, open, warnings } = await node();
    const sender = await open();
    await sender.connect({ app: 'gate' });
    await sender.publish('gate');
    for (let id = 4; id < 9; id++)
      sender.send(
        publishOn(id, 'other'),
        oddCommand(9, amf.string('play'), amf.number(0), amf.null(), amf.string('x')),
      );
    sender.send(videoMessage(1, 0, picture.header));
    await until(() => (backend.camera('gate')?.bytesIn ?? 0) > 0, 20_000, 'media');
    expect(sender.isClosed).toBe(false);
    // Said once, though it came ten times.
    expect(warnings.map(({ kind }) => kind)).toEqual(['order']);
    expect(backend.camera('gate')?.ignoredMessages).toBe(10);
  });

  it('goes on while one of two publishes of the same connection ends, and is one publisher', async () => {
    const { backend, open } = await node();
    const sender = await open();
    await sender.connect({ app: 'gate' });
    await sender.publish('gate');
    sender.send(publishOn(2, 'gate?again=1'));
    await until(() => sender.codes().filter((code) => code === start).length === 2, 20_000, 'the second answer');
    sender.send(oddCommand(0, amf.string('deleteStream'), amf.number(0), amf.null(), amf.number(1)));
    sender.send(videoMessage(0, 0, picture.header));
    await until(() => (backend.camera('gate')?.bytesIn ?? 0) > 0, 20_000, 'media of the other');
    expect(backend.camera('gate')?.live).toBe(true);
    sender.send(oddCommand(0, amf.string('deleteStream'), amf.number(0), amf.null(), amf.number(2)));
    await until(() => backend.camera('gate')?.live === false, 20_000, 'the end');
  });
});

describe('a sign of life', () => {
  /** Publishes twice, so that media of a third stream is nobody's. */
  async function useless(changes: object) {
    const stage = await node(changes);
    const sender = await stage.open();
    await sender.connect({ app: 'gate' });
    await sender.publish('gate');
    sender.send(publishOn(2, 'gate?2'));
    let timeMs = 0;
    const timer = setInterval(() => {
      timeMs += 40;
      sender.send(
        ...[ping, oddMessage({ type: 3, csid: 2, payload: Buffer.alloc(4) })],
        // Large ones too: a part of what nobody takes proves nothing.
        videoMessage(9, timeMs, Buffer.concat([picture.frame(1, true), Buffer.alloc(40_000)])),
        oddMessage({ type: 9, csid: 7, streamId: 1, payload: Buffer.alloc(0) }),
        oddMessage({ type: 18, csid: 5, streamId: 1, payload: amf.string('onTextData') }),
        oddMessage({ type: 99, csid: 8, payload: Buffer.alloc(30_000) }),
      );
    }, 40);
    cleanups.push(() => clearInterval(timer));
    return { ...stage, sender };
  }

  it('is nothing that nobody can use: it ends with a reason that says what that was', async () => {
    const { sender, warnings } = await useless({ idleTimeoutMs: 1000 });
    await until(() => sender.isClosed, 20_000, 'the end');
    const { reason, ignored } = warnings.at(-1) ?? {};
    expect(reason).toMatch(
      /RTMP_TIMEOUT: the publisher sent nothing of use for 1 s; ignored was \d+ x audio, video or data of a stream/,
    );
    expect(ignored).toMatch(/\d+ x a message of a type that is not for a server/);
  });

  it('is nothing that nobody can use: another publisher takes over', async () => {
    const { backend, open } = await useless({ publishTakeoverMs: 500, idleTimeoutMs: 60_000 });
    await until(() => (backend.camera('gate')?.ignoredMessages ?? 0) > 60, 20_000, 'a second of it');
    const other = await open();
    await other.connect({ app: 'gate' });
    expect(await other.publish('gate')).toBe(start);
  });

  it('is a large frame on its way, byte by byte as it comes', async () => {
    const { open, backend } = await node({ idleTimeoutMs: 1500 });
    const sender = await open();
    await sender.connect({ app: 'gate' });
    await sender.publish('gate');
    const large = videoMessage(0, 0, Buffer.concat([picture.frame(1, true), Buffer.alloc(600_000)]));
    for (let at = 0; at < large.length; at += 20_000) {
      sender.send(large.subarray(at, at + 20_000));
      await new Promise((resolve) => setTimeout(resolve, 130));
    }
    expect(sender.isClosed).toBe(false);
    await until(() => (backend.camera('gate')?.bytesIn ?? 0) > 600_000, 20_000, 'the frame');
  }, 15_000);
});
