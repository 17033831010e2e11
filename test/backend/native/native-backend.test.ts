import { afterEach, describe, expect, it } from 'vitest';
import { NativeBackend } from '../../../src/backend/native/native-backend.js';
import { defaultSettings } from '../../../src/config/index.js';
import { codeOf, TargetError } from '../../../src/errors.js';
import type { LogFields, Logger } from '../../../src/log/log.js';
import { OutgoingConnection } from '../../../src/rtmp/outgoing-connection.js';
import { PublishClient } from '../../../src/rtmp/publish-client.js';
import { MessageType } from '../../../src/wire/message.js';
import { healthy, startTarget, until } from '../../push/targets.js';
import { audioFrame, frame, metadata, videoHeader } from '../../relay/fixtures.js';

const outgoing = { ...defaultSettings().media, connectTimeoutMs: 2000 };

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  while (cleanups.length > 0) await cleanups.pop()?.();
});

class Lines implements Logger {
  readonly lines: { level: string; message: string; fields: LogFields }[] = [];
  debug(): void {}
  info(message: string, fields: LogFields = {}): void {
    this.lines.push({ level: 'info', message, fields });
  }
  warn(message: string, fields: LogFields = {}): void {
    this.lines.push({ level: 'warn', message, fields });
  }
  error(message: string, fields: LogFields = {}): void {
    this.lines.push({ level: 'error', message, fields });
  }
  child(): Logger {
    return this;
  }
}

async function node(changes: object = {}) {
  const log = new Lines();
  const media = { ...defaultSettings().media, pushRetryMinMs: 50, connectTimeoutMs: 1000, ...changes };
  const backend = new NativeBackend({ settings: { host: '127.0.0.1', rtmpPort: 0, media }, log });
  const { port } = await backend.start();
  cleanups.push(() => backend.stop(2000));
  return { backend, log, url: (name: string) => `rtmp://127.0.0.1:${port}/${name}/${name}` };
}

async function camera(url: string) {
  const publisher = new PublishClient({ url, connectTimeoutMs: 2000 });
  await publisher.connect();
  let number = 0;
  publisher.write(MessageType.DataAmf0, 0, metadata(640));
  publisher.write(MessageType.Video, 0, videoHeader());
  const timer = setInterval(() => {
    publisher.write(MessageType.Video, number * 20, frame(number, number % 25 === 0));
    publisher.write(MessageType.Audio, number * 20, audioFrame(number));
    number++;
  }, 20);
  const stop = async (): Promise<void> => {
    clearInterval(timer);
    await publisher.close();
  };
  cleanups.push(stop);
  return { publisher, stop, freeze: () => clearInterval(timer), sent: () => number };
}

const rejection = async (url: string): Promise<string> => {
  const publisher = new PublishClient({ url, connectTimeoutMs: 2000 });
  try {
    await publisher.connect();
    await publisher.close();
    return 'accepted';
  } catch (error) {
    return error instanceof TargetError ? error.message : String(error);
  }
};

describe('who may publish', () => {
  it('is a registered camera, under its own name in both places', async () => {
    const { backend, url, log } = await node();
    backend.setCamera({ name: 'gate', pushes: [] });
    expect(await rejection(url('other'))).toContain('NetConnection.Connect.Rejected');
    expect(await rejection(url('gate').replace(/gate$/, 'other'))).toContain('NetStream.Publish.BadName');
    expect(await rejection(`${url('gate')}?key=1`)).toBe('accepted');
    expect(log.lines.filter(({ level }) => level === 'warn').map(({ fields }) => fields.reason)).toEqual([
      expect.stringContaining('PUBLISH_NOT_REGISTERED'),
      expect.stringContaining('PUBLISH_NOT_REGISTERED'),
    ]);
  });

  it('is not a second publisher while the first one sends; when it is silent, the newcomer takes over', async () => {
    const sink = await startTarget(healthy);
    cleanups.push(() => sink.close());
    const { backend, url } = await node({ publishTakeoverMs: 400 });
    backend.setCamera({ name: 'gate', pushes: [{ id: 'p', url: sink.url, enabled: true }] });
    const first = await camera(url('gate'));
    await until(() => sink.media.length > 30, 20_000, 'media');
    expect(await rejection(url('gate'))).toContain('NetStream.Publish.BadName');
    first.freeze();
    await new Promise((resolve) => setTimeout(resolve, 600));
    const before = sink.media.length;
    await camera(url('gate'));
    await until(() => sink.media.length > before + 30, 20_000, 'media of the newcomer');
    expect(codeOf(await first.publisher.closed)).toBe('TARGET_CLOSED');
    expect(sink.connectedMs.length).toBe(1);
    const times = sink.media.filter(({ type }) => type === MessageType.Video).map(({ timestampMs }) => timestampMs);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    // That the target takes the newcomer's frames is looked at once a second.
    await until(() => backend.camera('gate')?.pushes[0]?.state === 'active', 20_000, 'active again');
    expect(backend.camera('gate')).toMatchObject({ live: true, pushes: [{ state: 'active', connects: 1 }] });
  });
});

describe('a camera that is fetched from now on', () => {
  it('sends its publisher away, who would keep the source out, and lets one in again without the source', async () => {
    const { backend, url } = await node();
    const { url: elsewhere, backend: other } = await node();
    other.setCamera({ name: 'far', pushes: [] });
    await camera(elsewhere('far'));
    backend.setCamera({ name: 'gate', pushes: [] });
    const { publisher, stop } = await camera(url('gate'));
    await until(() => backend.camera('gate')?.live === true, 20_000, 'live');
    backend.setCamera({ name: 'gate', pushes: [], source: { url: elsewhere('far') } });
    await publisher.closed;
    await stop();
    await until(() => backend.camera('gate')?.source?.state === 'live', 20_000, 'its source');
    expect(await rejection(url('gate'))).toContain('pulled from its source');
    backend.setCamera({ name: 'gate', pushes: [] });
    await camera(url('gate'));
    await until(() => backend.camera('gate')?.publisher?.startsWith('127.0.0.1:') === true, 20_000, 'its publisher');
  });
});

describe('what a review found', () => {
  it('a publisher that drips bytes locked its camera', async () => {
    const { backend, url } = await node({ publishTakeoverMs: 500 });
    backend.setCamera({ name: 'gate', pushes: [] });
    const dripping = new OutgoingConnection(url('gate'), outgoing, {
      // The header of a message of 60,000 bytes, of which one comes now and then.
      onPublished: () => dripping.write(Buffer.from([6, 0, 0, 0, 0, 0xea, 0x60, 9, 1, 0, 0, 0, 0x27])),
      onDrain() {},
      onClosed() {},
    });
    const timer = setInterval(() => dripping.write(Buffer.from([1])), 50);
    cleanups.push(async () => {
      clearInterval(timer);
      dripping.destroy();
    });
    await until(() => backend.camera('gate')?.live === true, 20_000, 'live');
    await new Promise((resolve) => setTimeout(resolve, 900));
    expect(await rejection(url('gate'))).toBe('accepted');
  });

  it('totals dipped below zero when a camera was removed', async () => {
    const sink = await startTarget((socket, self) => {
      healthy(socket, self);
      socket.on('end', () => {});
    });
    cleanups.push(() => sink.close());
    const { backend, url } = await node();
    backend.setCamera({ name: 'gate', pushes: [{ id: 'p', url: sink.url, enabled: true }] });
    await camera(url('gate'));
    await until(() => backend.totals().bitrateOutBps > 0, 20_000, 'a rate');
    backend.removeCamera('gate');
    for (let i = 0; i < 25; i++) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      expect(backend.totals().bitrateInBps).toBeGreaterThanOrEqual(0);
      expect(backend.totals().bitrateOutBps).toBeGreaterThanOrEqual(0);
    }
  });

  it('a takeover without grace ended the stream for all targets', async () => {
    const sink = await startTarget(healthy);
    cleanups.push(() => sink.close());
    const { backend, url } = await node({ publishTakeoverMs: 300, publishGraceMs: 0 });
    backend.setCamera({ name: 'gate', pushes: [{ id: 'p', url: sink.url, enabled: true }] });
    const first = await camera(url('gate'));
    await until(() => sink.media.length > 10, 20_000, 'media');
    first.freeze();
    await new Promise((resolve) => setTimeout(resolve, 500));
    await camera(url('gate'));
    const before = sink.media.length;
    await until(() => sink.media.length > before + 10, 20_000, 'media of the newcomer');
    expect([sink.connectedMs.length, sink.ended.length]).toEqual([1, 0]);
  });
});

describe('a camera that leaves', () => {
  it('has its targets kept through the grace, and let go after it', async () => {
    const sink = await startTarget(healthy);
    cleanups.push(() => sink.close());
    const { backend, url } = await node({ publishGraceMs: 700 });
    backend.setCamera({ name: 'gate', pushes: [{ id: 'p', url: sink.url, enabled: true }] });
    const first = await camera(url('gate'));
    await until(() => sink.media.length > 10, 20_000, 'media');
    await first.stop();
    await until(() => backend.camera('gate')?.live === false, 20_000, 'not live');
    expect(backend.camera('gate')).toMatchObject({ graceUntil: expect.any(String), pushes: [{ state: 'idle' }] });
    const second = await camera(url('gate'));
    const before = sink.media.length;
    await until(() => sink.media.length > before + 10, 20_000, 'media again');
    expect(sink.connectedMs.length).toBe(1);
    expect(sink.ended).toEqual([]);
    await second.stop();
    await until(() => sink.ended.length === 1, 20_000, 'a goodbye after the grace');
    expect(backend.camera('gate')).toMatchObject({ live: false, graceUntil: null });
  });

  it('by being removed takes its publisher and its pushes along, and no other', async () => {
    const sink = await startTarget(healthy);
    cleanups.push(() => sink.close());
    const { backend, url } = await node();
    for (const name of ['gate', 'yard']) {
      backend.setCamera({ name, pushes: [{ id: 'p', url: sink.url.replace(/cam$/, name), enabled: true }] });
    }
    const gate = await camera(url('gate'));
    const yard = await camera(url('yard'));
    const state = (name: string) => backend.camera(name)?.pushes[0]?.state;
    await until(() => state('gate') === 'active' && state('yard') === 'active', 20_000, 'both pushes active');
    backend.removeCamera('gate');
    expect(codeOf(await gate.publisher.closed)).toBe('TARGET_CLOSED');
    await until(() => sink.ended.length === 1, 20_000, 'a goodbye');
    expect(backend.camera('gate')).toBeUndefined();
    expect(backend.camera('yard')).toMatchObject({ live: true, pushes: [{ state: 'active', connects: 1 }] });
    await yard.stop();
  });
});

describe('a ring of pushes', () => {
  it('is refused where it closes, by the path in connect', async () => {
    const [a, b, c] = await Promise.all([node({ publishGraceMs: 0 }), node(), node()]);
    a.backend.setCamera({ name: 'x', pushes: [{ id: 'p', url: b.url('x'), enabled: true }] });
    b.backend.setCamera({ name: 'x', pushes: [{ id: 'p', url: c.url('y'), enabled: true }] });
    c.backend.setCamera({ name: 'y', pushes: [{ id: 'p', url: a.url('z'), enabled: true }] });
    a.backend.setCamera({ name: 'z', pushes: [] });
    await camera(a.url('x'));
    await until(() => c.backend.camera('y')?.pushes[0]?.state === 'waiting', 20_000, 'the last push refused');
    expect(c.backend.camera('y')?.pushes[0]?.lastError).toMatchObject({
      code: 'TARGET_PUBLISH_REJECTED',
      message: expect.stringContaining('a ring of pushes'),
    });
    expect(a.backend.camera('z')?.live).toBe(false);
    expect(c.backend.camera('y')?.live).toBe(true);
  });

  it('is refused by the path in the metadata, where a server in between passes on only that', async () => {
    const { backend, url, log } = await node();
    const sink = await startTarget(healthy);
    cleanups.push(() => sink.close());
    backend.setCamera({ name: 'x', pushes: [{ id: 'p', url: sink.url, enabled: true }] });
    backend.setCamera({ name: 'z', pushes: [] });
    await camera(url('x'));
    await until(() => sink.media.some(({ type }) => type === MessageType.DataAmf0), 20_000, 'metadata');
    const passedOn = sink.media.find(({ type }) => type === MessageType.DataAmf0)?.payload ?? Buffer.alloc(0);
    const relay = new PublishClient({ url: url('z'), connectTimeoutMs: 1000 });
    await relay.connect();
    relay.write(MessageType.DataAmf0, 0, passedOn);
    expect(codeOf(await relay.closed)).toBe('TARGET_CLOSED');
    expect(log.lines.some(({ fields }) => String(fields.reason).startsWith('PUBLISH_LOOP'))).toBe(true);
  });
});

describe('an observer', () => {
  it('is told of cameras that come and go and of every state of a push, as it happens', async () => {
    const sink = await startTarget(healthy);
    const { backend, url } = await node({ publishGraceMs: 100 });
    const told: string[] = [];
    backend.observe({
      cameraLive: (name, { returned }) => told.push(`${name} live${returned ? ' again' : ''}`),
      cameraStopped: (name, reason) => told.push(`${name} stopped: ${reason}`),
      pushState: (name, { id, state, lastError, nextRetryAt }) =>
        told.push(`${name} ${id} ${state}${state === 'waiting' ? ` ${lastError?.code} ${nextRetryAt !== null}` : ''}`),
    });
    backend.setCamera({ name: 'gate', pushes: [{ id: 'p', url: sink.url, enabled: true }] });
    const first = await camera(url('gate'));
    await until(() => told.includes('gate p active'), 20_000, 'the push is active');
    await sink.close();
    await until(() => told.some((line) => line.startsWith('gate p waiting')), 20_000, 'the push to wait');
    await first.stop();
    await until(() => told.some((line) => line.startsWith('gate stopped')), 20_000, 'the camera to stop');
    await camera(url('gate'));
    await until(() => told.filter((line) => line.startsWith('gate live')).length === 2, 20_000, 'the return');
    expect(told.slice(0, 3)).toEqual(['gate live', 'gate p connecting', 'gate p active']);
    expect(told.find((line) => line.startsWith('gate p waiting'))).toMatch(/ TARGET_(CLOSED|REFUSED) true$/);
    expect(told.find((line) => line.startsWith('gate stopped'))).toMatch(/: .+/);
  });
});

describe('stopping', () => {
  it('sends targets everything, tells them and the publishers, and ends in time', async () => {
    const sink = await startTarget(healthy);
    cleanups.push(() => sink.close());
    const { backend, url } = await node();
    backend.setCamera({ name: 'gate', pushes: [{ id: 'p', url: sink.url, enabled: true }] });
    const { publisher, freeze } = await camera(url('gate'));
    await until(() => sink.media.length > 20, 20_000, 'media');
    freeze();
    const startMs = performance.now();
    await backend.stop(10_000);
    expect(performance.now() - startMs).toBeLessThan(9000);
    expect((await publisher.closed)?.message).toContain('NetStream.Unpublish.Success');
    await until(() => sink.ended.length === 1, 20_000, 'a goodbye');
  });
});
