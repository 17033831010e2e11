import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { sendPaced } from '../../src/ingest/pacer.js';
import { openTagSource, type Tag, type TagSource } from '../../src/ingest/tag-source.js';
import { encodeFlvTag, flvFileHeader } from '../../src/wire/flv-file.js';
import { healthy, startTarget } from '../push/targets.js';
import { readFlvTags } from '../support/flv-file.js';
import { testScope } from '../support/scope.js';
import { waitFor } from '../support/wait.js';
import { cli, clip, startTestAggregator } from './support.js';

const header = { type: 9, payload: Buffer.from([0x17, 0, 0, 0, 0, 1]) };
const frame = (timestampMs: number, key = false): Tag => ({
  type: 9,
  timestampMs,
  payload: Buffer.from([key ? 0x17 : 0x27, 1, 0, 0, 0, timestampMs & 0xff]),
});
const metadata = { type: 18, timestampMs: 0, payload: Buffer.from([2, 0, 0]) };

function sourceOf(tags: Tag[]): TagSource {
  return {
    async *pass() {
      yield tags;
    },
  };
}

/** What is sent, with the time since the start. */
async function sent(tags: Tag[], options: { loop?: boolean; durationMs?: number; stopAfter?: number } = {}) {
  const stop = new AbortController();
  const startedAtMs = performance.now();
  const messages: { type: number; timestampMs: number; payload: Buffer; atMs: number }[] = [];
  await sendPaced(sourceOf(tags), {
    loop: options.loop ?? false,
    durationMs: options.durationMs,
    signal: stop.signal,
    send(type, timestampMs, payload) {
      messages.push({ type, timestampMs, payload, atMs: performance.now() - startedAtMs });
      if (messages.length === options.stopAfter) {
        stop.abort();
      }
      return undefined;
    },
  });
  return messages;
}

describe('pacing', () => {
  test('nothing is sent before its time', async () => {
    const messages = await sent([frame(1000, true), frame(1040), frame(1120), frame(1300)]);
    expect(messages.map(({ timestampMs }) => timestampMs)).toEqual([1000, 1040, 1120, 1300]);
    for (const { timestampMs, atMs } of messages) {
      expect(atMs).toBeGreaterThanOrEqual(timestampMs - 1000 - 2);
    }
  });

  test('looping goes on one frame after the end, without metadata and sequence headers', async () => {
    const tags = [metadata, { ...header, timestampMs: 0 }, frame(0, true), frame(20), frame(40)];
    const messages = await sent(tags, { loop: true, stopAfter: 11 });
    expect(messages.map(({ type, timestampMs }) => `${type} ${timestampMs}`)).toEqual([
      ...['18 0', '9 0', '9 0', '9 20', '9 40'],
      ...['9 60', '9 80', '9 100'],
      ...['9 120', '9 140', '9 160'],
    ]);
  });

  test('looping sends a header again that changed within the file, or whose track the file ends', async () => {
    const [first, second] = [1, 2].map((version) => ({
      ...header,
      timestampMs: 0,
      payload: Buffer.concat([header.payload, Buffer.from([version])]),
    })) as [Tag, Tag];
    const changing = await sent([first, frame(0, true), second, frame(20, true)], { loop: true, stopAfter: 8 });
    expect(changing.map(({ payload }) => payload.at(-1))).toEqual([
      ...[1, changing[1]?.payload.at(-1), 2, changing[3]?.payload.at(-1)],
      ...[1, changing[5]?.payload.at(-1), 2, changing[7]?.payload.at(-1)],
    ]);
    const end = { ...header, timestampMs: 20, payload: Buffer.from([0x17, 2, 0, 0, 0]) };
    const ending = await sent([first, frame(0, true), end], { loop: true, stopAfter: 6 });
    const kinds = ending.map(({ payload }) => ['header', 'frame', 'end'][payload[1] ?? 0]);
    expect(kinds).toEqual(['header', 'frame', 'end', 'header', 'frame', 'end']);
  });

  test('timestamps wrap at 32 bits', async () => {
    const messages = await sent([frame(0xffffffec, true), frame(0xfffffffe)], { loop: true, stopAfter: 4 });
    expect(messages.map(({ timestampMs }) => timestampMs)).toEqual([0xffffffec, 0xfffffffe, 0x10, 0x22]);
  });

  test('the duration ends it, in the middle of a pass', async () => {
    const messages = await sent([frame(0, true), frame(20), frame(40)], { loop: true, durationMs: 100 });
    expect(messages.map(({ timestampMs }) => timestampMs)).toEqual([0, 20, 40, 60, 80]);
  });
});

describe('reading', () => {
  test('in memory and as a stream, every pass has the tags of the file', async () => {
    const expected = readFlvTags(clip).map(({ type, timestampMs, payload }) => ({ type, timestampMs, payload }));
    expect(expected.length).toBeGreaterThan(100);
    for (const source of [await openTagSource(clip), await openTagSource(clip, 0)]) {
      for (let pass = 0; pass < 2; pass++) {
        const tags: Tag[] = [];
        for await (const batch of source.pass()) {
          tags.push(...batch);
        }
        expect(tags).toEqual(expected);
      }
    }
  });

  test.each([
    ['no FLV', Buffer.from('ftypisom, as MP4 files begin'), 'FLV'],
    ['no tags', readFileSync(clip).subarray(0, 13), 'no FLV tags'],
  ])('%s: refused before anything is connected', async (_, content, hint) => {
    const folder = mkdtempSync(join(tmpdir(), 'publish-'));
    try {
      const file = join(folder, 'x.flv');
      writeFileSync(file, content);
      const { code, err } = await cli(['publish', file, 'rtmp://127.0.0.1:9/a/b']);
      expect(err).toMatch(new RegExp(`^error: FLV_INVALID: .*${hint}`));
      expect(code).toBe(1);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test.each([
    ['/nonexistent.flv', 'no such file'],
    ['/tmp', 'folder'],
  ])('%s', async (file, hint) => {
    const { code, err } = await cli(['publish', file, 'rtmp://127.0.0.1:9/a/b']);
    expect(err).toContain(hint);
    expect(code).toBe(1);
  });
});

describe('recordings as they are', () => {
  const out = async (tags: Tag[], options: Parameters<typeof sent>[1] = {}): Promise<number[]> =>
    (await sent(tags, options)).map(({ timestampMs }) => timestampMs);

  test('of a stream in progress: the first frame is not waited for', async () => {
    const tags = [metadata, { ...header, timestampMs: 0 }, frame(3_600_000, true), frame(3_600_040)];
    const messages = await sent(tags, { durationMs: 3000 });
    expect(messages.map(({ timestampMs }) => timestampMs)).toEqual([0, 0, 3_600_000, 3_600_040]);
    expect(messages.at(-1)?.atMs).toBeLessThan(3000);
  });

  test('timestamps that pass their end are still paced', async () => {
    const messages = await sent([frame(0xffffffd8, true), frame(0), frame(40), frame(80)]);
    expect(messages.map(({ timestampMs }) => timestampMs)).toEqual([0xffffffd8, 0, 40, 80]);
    expect(messages.at(-1)?.atMs).toBeGreaterThanOrEqual(118);
  });

  test.each<[string, number[], number[]]>([
    ['set back', [60_000, 60_040, 0, 40], [60_000, 60_040, 60_080, 60_120]],
    ['set back by a little less than a second', [1000, 1040, 300, 340], [1000, 1040, 1080, 1120]],
    ['thrown far forward', [0, 40, 90_000_000, 90_000_040], [0, 40, 80, 120]],
    ['of 24 bits that pass their end', [0xffffd8, 0, 40], [0xffffd8, 0x1000000, 0x1000028]],
    ['with one that is wrong', [0, 40, 3_000_000_000, 80, 120], [0, 40, 80, 120, 160]],
    ['that stand still', [0, 0, 0, 40], [0, 0, 0, 40]],
    ['a jitter', [100, 140, 130, 180], [100, 140, 130, 180]],
  ])('timestamps %s go on where they had been', async (_what, given, expected) => {
    expect(await out(given.map((timestampMs, index) => frame(timestampMs, index === 0)))).toEqual(expected);
  });

  test('files that were joined go on, with the headers of each', async () => {
    const part = (number: number): Tag[] =>
      [metadata, { ...header, timestampMs: 0 }, frame(0, true), frame(40)].map((tag) => ({ ...tag, part: number }));
    const messages = await sent([...part(0), ...part(1), ...part(2)]);
    expect(messages.map(({ type, timestampMs }) => `${type} ${timestampMs}`)).toEqual([
      ...['18 0', '9 0', '9 0', '9 40'],
      ...['18 40', '9 40', '9 80', '9 120'],
      ...['18 120', '9 120', '9 160', '9 200'],
    ]);
  });

  test('audio that lies behind video stays where it is', async () => {
    const audio = (timestampMs: number): Tag => ({ type: 8, timestampMs, payload: Buffer.from([0xaf, 1, 9]) });
    const tags = [frame(500, true), audio(100), frame(540), audio(140), frame(580)];
    expect(await out(tags)).toEqual([500, 100, 540, 140, 580]);
  });
});

describe('what is left out of a file is said', () => {
  const bytes = readFileSync(clip);
  const cases: [string, Buffer, RegExp][] = [
    ['zeros at the end', Buffer.concat([bytes, Buffer.alloc(1000)]), /^Left out: 1000 bytes that are no tags\.\n$/],
    ['a cut end', bytes.subarray(0, -50), /^Left out: \d+ bytes of a tag that the end of the file cuts off\.\n$/],
    ['joined files', Buffer.concat([bytes, bytes]), /^Files joined end to end: 2; each goes on/],
    [
      'an empty frame',
      Buffer.concat([bytes, encodeFlvTag(9, 0, Buffer.from([0x27, 1, 0, 0, 0]))]),
      /^Left out: 1 tags that no server takes\.\n$/,
    ],
  ];
  test.each(cases)('%s', async (_what, content, said) => {
    const scope = mkdtempSync(join(tmpdir(), 'publish-'));
    const target = await startTarget(healthy);
    try {
      const file = join(scope, 'x.flv');
      writeFileSync(file, content);
      const { code, err } = await cli(['publish', file, target.url, '--duration', '0.3']);
      expect(err).toMatch(said);
      expect(code).toBe(0);
    } finally {
      await target.close();
      rmSync(scope, { recursive: true });
    }
  });

  test('metadata and headers alone: refused, since nobody would see anything', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'publish-'));
    try {
      const file = join(folder, 'x.flv');
      writeFileSync(file, Buffer.concat([flvFileHeader(true, true), encodeFlvTag(9, 0, header.payload)]));
      const { code, err } = await cli(['publish', file, 'rtmp://127.0.0.1:9/a/b']);
      expect(err).toMatch(/^error: FLV_INVALID: .*none with audio or video/);
      expect(code).toBe(1);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('to a real aggregator', () => {
  test('several copies are live while they are sent, and what is reported is what arrived', async (context) => {
    const { apiUrl, rtmpPort } = await startTestAggregator(testScope(context));
    for (const name of ['cam-1', 'cam-2', 'cam-3']) {
      await cli(['camera', 'add', name, '--api', apiUrl]);
    }
    const url = `rtmp://127.0.0.1:${rtmpPort}/cam-{i}/cam-{i}`;
    const publishing = cli(['publish', clip, url, '--count', '3', '--loop', '--duration', '2.5', '--json']);
    await waitFor(
      async () => {
        const { out } = await cli(['camera', 'list', '--json', '--api', apiUrl]);
        const cameras: { live: boolean; videoCodec: string | null }[] = JSON.parse(out);
        return cameras.every((camera) => camera.live && camera.videoCodec === 'h264');
      },
      { what: 'all cameras to be live' },
    );
    const { code, out, err } = await publishing;
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const report = JSON.parse(out);
    const expected = readFlvTags(clip).filter(({ timestampMs }) => timestampMs < 2500);
    expect(report.streams).toHaveLength(3);
    for (const stream of report.streams) {
      expect(stream).toMatchObject({ error: null, messages: expected.length });
    }
    const payloadBytes = expected.reduce((sum, { payload }) => sum + payload.length, 0);
    expect(report.bytes).toBeGreaterThan(3 * payloadBytes);
    expect(report.bytes).toBeLessThan(3 * (payloadBytes * 1.1 + 10_000));
  });

  test('a refusal: exit code 1 with the reason', async (context) => {
    const { rtmpPort } = await startTestAggregator(testScope(context));
    const { code, out, err } = await cli(['publish', clip, `rtmp://127.0.0.1:${rtmpPort}/none/none`]);
    expect(err).toMatch(/^error: TARGET_(PUBLISH|CONNECT)_REJECTED: .+\n$/);
    expect({ code, out }).toEqual({ code: 1, out: '' });
  });

  test('the camera is removed while it publishes: exit code 1 with the reason', async (context) => {
    const { apiUrl, rtmpPort } = await startTestAggregator(testScope(context));
    await cli(['camera', 'add', 'c', '--api', apiUrl]);
    const publishing = cli(['publish', clip, `rtmp://127.0.0.1:${rtmpPort}/c/c`, '--loop']);
    await waitFor(async () => (await cli(['camera', 'list', '--api', apiUrl])).out.includes(' live '), {
      what: 'c to be live',
    });
    await cli(['camera', 'remove', 'c', '--api', apiUrl]);
    const { code, err } = await publishing;
    expect(err).toMatch(/^error: TARGET_[A-Z_]+: .+\n$/);
    expect(code).toBe(1);
  });

  test('nothing listens: exit code 1', async () => {
    const { code, err } = await cli(['publish', clip, 'rtmp://127.0.0.1:9/a/b']);
    expect(err).toMatch(/^error: TARGET_REFUSED: /);
    expect(code).toBe(1);
  });

  test('a URL that is none: exit code 1, and no key of it on the terminal', async () => {
    const { code, err } = await cli(['publish', clip, 'http://127.0.0.1/a/b']);
    expect(err).toMatch(/^error: INVALID_ADDRESS: /);
    expect(code).toBe(1);
  });
});

test('a free port for the refusal tests above is really refused', async () => {
  // Should something listen on the discard port here, the tests above would say nothing.
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  const { err } = await cli(['publish', clip, `rtmp://127.0.0.1:${port}/a/b`]);
  expect(err).toContain('TARGET_REFUSED');
});
