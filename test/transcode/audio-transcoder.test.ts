import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import { silentLogger } from '../../src/log/log.js';
import { DialGate } from '../../src/pull/dial-gate.js';
import { aacHeader, silentFrame } from '../../src/relay/silence.js';
import { AudioTranscoder, type AudioTranscoderOptions } from '../../src/transcode/audio-transcoder.js';
import { encodeFlvTag, FlvTagType, flvFileHeader } from '../../src/wire/flv-file.js';
import { exMessage } from '../support/enhanced.js';
import { runOk } from '../support/process.js';

const folder = mkdtempSync(join(tmpdir(), 'transcoder-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function program(text: string): string {
  const file = join(folder, `program-${Math.random().toString(36).slice(2)}`);
  writeFileSync(file, `#!/bin/sh\n${text}\n`);
  chmodSync(file, 0o755);
  return file;
}

function make(ffmpeg: string, lineUp?: AudioTranscoderOptions['lineUp']) {
  const frames: { timestampMs: number; payload: Buffer }[] = [];
  const problems: (string | null)[] = [];
  const transcoder = new AudioTranscoder({
    ffmpeg,
    log: silentLogger,
    onFrame: (timestampMs, payload) => frames.push({ timestampMs, payload: Buffer.from(payload) }),
    onProblem: (problem) => problems.push(problem),
    ...(lineUp && { lineUp }),
  });
  onTestFinished(() => transcoder.close());
  return { transcoder, frames, problems };
}

/** G.711 of a loud noise: 20 ms. @param flags A-law by default */
function g711(value: number, flags = 0x72): Buffer {
  const payload = Buffer.alloc(161);
  payload[0] = flags;
  for (let i = 1; i < payload.length; i++) payload[i] = (value * 31 + i * 77) & 0xff;
  return payload;
}

async function until(what: string, isSo: () => boolean): Promise<void> {
  for (let i = 0; !isSo(); i++) {
    if (i > 600) throw new Error(`never: ${what}`);
    await delay(50);
  }
}

describe('sound of another codec', () => {
  it('becomes AAC with the times that it came with, over the end of 32 bits too', { timeout: 60_000 }, async () => {
    const { transcoder, frames, problems } = make('ffmpeg');
    const from = 2 ** 32 - 500;
    for (let i = 0; i < 100; i++) transcoder.write((from + i * 20) >>> 0, g711(i));
    await until('most of it came', () => frames.length > 80);
    const at = frames.map(({ timestampMs }) => (timestampMs - from) | 0);
    expect(at[0]).toBeGreaterThanOrEqual(-22);
    expect(at[0]).toBeLessThan(50);
    // 1,024 samples of 48,000 a second, in whole milliseconds.
    for (let i = 1; i < at.length; i++) expect([20, 21, 22]).toContain((at[i] ?? 0) - (at[i - 1] ?? 0));
    for (const { payload } of frames) expect([payload[0], payload[1]]).toEqual([0xaf, 1]);
    expect(problems).toEqual([]);
    expect(transcoder.pid).toBeGreaterThan(0);
  });

  it('is transcoded anew when its clock is set, without a gap being filled', { timeout: 60_000 }, async () => {
    const { transcoder, frames } = make('ffmpeg');
    for (let i = 0; i < 50; i++) transcoder.write(i * 20, g711(i));
    await until('some came', () => frames.length > 20);
    const first = transcoder.pid;
    frames.length = 0;
    for (let i = 0; i < 50; i++) transcoder.write(5_000_000 + i * 20, g711(i));
    await until('some came again', () => frames.length > 20);
    expect(transcoder.pid).not.toBe(first);
    expect(frames[0]?.timestampMs).toBeGreaterThan(4_999_900);
    expect(frames.at(-1)?.timestampMs).toBeLessThan(5_001_100);
  });
});

const muLaw = 0x82;

describe('sound of a camera whose encoder is changed for another', () => {
  it('is transcoded anew at once', { timeout: 60_000 }, async () => {
    const { transcoder, frames, problems } = make('ffmpeg');
    for (let i = 0; i < 50; i++) transcoder.write(i * 20, g711(i));
    await until('some came', () => frames.length > 20);
    const first = transcoder.pid;
    frames.length = 0;
    for (let i = 50; i < 100; i++) transcoder.write(i * 20, g711(i, muLaw));
    await until('some came again', () => frames.length > 20);
    expect(transcoder.pid).not.toBe(first);
    expect(problems).toEqual([]);
  });

  it('starts no program for each message, where that changes with each', { timeout: 60_000 }, async () => {
    const starts = join(folder, 'starts');
    const { transcoder } = make(program(`echo start >> ${starts}; exec cat > /dev/null`));
    const pids = new Set<number | undefined>();
    const beganMs = performance.now();
    for (let i = 0; i < 200; i++) {
      transcoder.write(i * 20, g711(i, i % 2 === 0 ? muLaw : 0x72));
      pids.add(transcoder.pid);
    }
    pids.delete(undefined);
    expect(pids.size).toBeLessThan(6 + (performance.now() - beganMs) / 1000);
    // It goes on with what comes later.
    await until('another', () => {
      transcoder.write(4000, g711(0));
      return transcoder.pid !== undefined;
    });
    await until('a start', () => readFileSync(starts, 'utf8') !== '');
  });
});

describe('transcoders of many cameras', () => {
  it('start in turn, and who sends no sound any more holds up nobody', { timeout: 60_000 }, async () => {
    const gate = new DialGate(1);
    const made = Array.from({ length: 3 }, () => make('ffmpeg', (begin) => gate.enter(begin)));
    const [one, silent, other] = made as [(typeof made)[0], (typeof made)[0], (typeof made)[0]];
    silent.transcoder.write(0, g711(0));
    let mostAtOnce = 0;
    for (let i = 0; one.frames.length === 0 || other.frames.length === 0; i++) {
      for (const { transcoder } of [one, other]) transcoder.write(i * 20, g711(i));
      const starting = made.filter(({ transcoder, frames }) => transcoder.pid !== undefined && frames.length === 0);
      mostAtOnce = Math.max(mostAtOnce, starting.length);
      await delay(20);
      if (i > 2000) throw new Error('were never both started');
    }
    expect(mostAtOnce).toBe(1);
    expect(silent.transcoder.pid).toBeUndefined();
    for (const { transcoder } of made) transcoder.close();
    await until('nobody in line', () => gate.underWay + gate.waiting === 0);
  });
});

describe('an ffmpeg that', () => {
  it('is not there is a problem with words, and nothing else', { timeout: 60_000 }, async () => {
    const { transcoder, problems } = make('/no/such/ffmpeg');
    transcoder.write(0, g711(0));
    await until('the problem', () => problems.length > 0);
    expect(problems[0]).toBe('there is no program "/no/such/ffmpeg"; install ffmpeg, or name it with --ffmpeg PATH');
    // Not again at once.
    transcoder.write(20, g711(1));
    expect(transcoder.pid).toBeUndefined();
  });

  it('ends is started again after a pause', { timeout: 60_000 }, async () => {
    const { transcoder, problems } = make(program('echo "[error] no room" >&2; exit 3'));
    transcoder.write(0, g711(0));
    await until('the first problem', () => problems.length > 0);
    expect(problems[0]).toBe('ffmpeg ended with exit code 3: [error] no room');
    for (let i = 1; problems.length < 2; i++) {
      transcoder.write(i * 20, g711(i));
      await delay(20);
      if (i > 1500) throw new Error('was not started again');
    }
  });

  it('hangs after a while is ended', { timeout: 60_000 }, async () => {
    const flv = Buffer.concat([
      flvFileHeader(true, false),
      encodeFlvTag(FlvTagType.Audio, 1000, aacHeader),
      encodeFlvTag(FlvTagType.Audio, 1000, silentFrame),
    ]);
    const file = join(folder, 'one-frame.flv');
    writeFileSync(file, flv);
    const { transcoder, frames, problems } = make(program(`cat ${file}; sleep 1000`));
    transcoder.write(70, g711(0));
    await until('its only frame', () => frames.length === 1);
    expect(frames[0]?.timestampMs).toBe(70);
    for (let i = 1; problems.length === 0; i++) {
      transcoder.write(70 + i * 20, g711(i));
      await delay(20);
      if (i > 2500) throw new Error('was never ended');
    }
    expect(problems).toEqual(['ffmpeg gave no sound for 5 s']);
    expect(transcoder.pid).toBeUndefined();
  });
});

it('says of a codec that this ffmpeg cannot read in FLV that it cannot', () => {
  const { transcoder, problems } = make('ffmpeg');
  transcoder.write(0, exMessage({ kind: 'audio', packet: 1, codec: 'ac-3', body: Buffer.alloc(40) }));
  expect(problems).toEqual(['sound of the codec ac3 cannot be transcoded here']);
  expect(transcoder.pid).toBeUndefined();
});

it('decodes without an error: silence, and the header that all get', { timeout: 60_000 }, async () => {
  const tags = Array.from({ length: 50 }, (_, i) =>
    encodeFlvTag(FlvTagType.Audio, Math.round((i * 64) / 3), silentFrame),
  );
  const file = join(folder, 'silence.flv');
  writeFileSync(
    file,
    Buffer.concat([flvFileHeader(true, false), encodeFlvTag(FlvTagType.Audio, 0, aacHeader), ...tags]),
  );
  const { stderr, stdout } = await runOk('ffmpeg', [
    ...['-v', 'error', '-i', file, '-f', 's16le', '-ac', '1', '-t', '0.5', '-'],
  ]);
  expect(stderr).toBe('');
  expect(stdout.length).toBeGreaterThan(40_000);
  expect(/[^\0]/.test(stdout)).toBe(false);
});
