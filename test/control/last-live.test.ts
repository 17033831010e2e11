import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LastLives } from '../../src/control/last-live.js';
import { LastLiveFile } from '../../src/control/last-live-file.js';
import { type Logger, silentLogger } from '../../src/log/log.js';

let folder = '';
let path = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'aggregator-last-live-'));
  path = join(folder, 'last-live.json');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const who = { publisher: '192.0.2.1:4000', encoder: 'OBS', returned: false };

async function loaded(isRegistered = (_name: string) => true): Promise<{ lives: LastLives; warned: string[] }> {
  const lives = new LastLives();
  const warned: string[] = [];
  const log: Logger = { ...silentLogger, warn: (message) => warned.push(message), child: () => log };
  await new LastLiveFile(path, lives, log).open(isRegistered);
  return { lives, warned };
}

describe('when cameras were last live', () => {
  it('stays known over a restart: since, until, why, who and the last frame', async () => {
    const lives = new LastLives();
    const file = new LastLiveFile(path, lives, silentLogger);
    lives.cameraLive('gate', who);
    lives.noteFrame('gate', Date.parse('2026-01-02T03:04:05.000Z'));
    lives.cameraStopped('gate', 'RTMP_TIMEOUT: the publisher sent nothing of use for 30 s');
    lives.cameraLive('yard', who);
    await file.close();
    const { lives: after, warned } = await loaded();
    expect(warned).toEqual([]);
    expect(after.of('gate')).toEqual(lives.of('gate'));
    expect(after.of('gate')).toMatchObject({
      ...{ code: 'RTMP_TIMEOUT', publisher: '192.0.2.1:4000', encoder: 'OBS' },
      lastFrameAt: '2026-01-02T03:04:05.000Z',
    });
    // It was live when the file was written: the run ended then.
    expect(after.of('yard')?.until).not.toBeNull();
    expect(after.of('yard')?.reason).toContain('aggregator ended');
    expect(after.of('never')).toBeUndefined();
    expect(await readdir(folder)).toEqual(['last-live.json']);
  });

  it('is forgotten with the camera, and not learnt of one that is not registered', async () => {
    const lives = new LastLives();
    for (const name of ['gate', 'yard', 'gone']) lives.cameraLive(name, who);
    lives.forget('gone');
    await new LastLiveFile(path, lives, silentLogger).write();
    const { lives: after } = await loaded((name) => name === 'gate');
    expect([...after.entries()].map(([name]) => name)).toEqual(['gate']);
  });

  it('of this run goes before that of an earlier one', async () => {
    await writeFile(path, JSON.stringify({ cameras: { gate: { since: '2020-01-01T00:00:00Z', until: null } } }));
    const lives = new LastLives();
    lives.cameraLive('gate', who);
    await new LastLiveFile(path, lives, silentLogger).open(() => true);
    expect(lives.of('gate')?.until).toBeNull();
  });

  const damaged: Readonly<Record<string, string>> = {
    empty: '',
    'torn in the middle': '{"version":1,"cameras":{"gate":{"since":"2026-01-01T00:0',
    'something else': '[1, 2]',
    'of another shape': '{"cameras":[]}',
    binary: '\u0000\u0001\u0002',
  };
  for (const [what, text] of Object.entries(damaged)) {
    it(`is unknown where the file is ${what}, and is kept anew`, async () => {
      await writeFile(path, text);
      const { lives, warned } = await loaded();
      expect(lives.size).toBe(0);
      expect(warned).toHaveLength(1);
      lives.cameraLive('gate', who);
      await new LastLiveFile(path, lives, silentLogger).write();
      expect((await loaded()).lives.of('gate')?.publisher).toBe(who.publisher);
    });
  }

  it('takes nothing but what has the right form out of a file that somebody wrote', async () => {
    const cameras = {
      text: 'x',
      none: null,
      list: [],
      'no-time': { since: 'yesterday' },
      odd: { since: '2026-01-01T00:00:00Z', until: 7, reason: {}, code: 'NO_SUCH', publisher: [], lastFrameAt: 'x' },
      __proto__: { since: '2026-01-01T00:00:00Z' },
    };
    await writeFile(path, JSON.stringify({ version: 1, writtenAt: '2026-01-01T01:00:00Z', cameras }));
    const { lives } = await loaded();
    expect([...lives.entries()].map(([name]) => name)).toEqual(['odd']);
    expect(lives.of('odd')).toMatchObject({
      until: '2026-01-01T01:00:00Z',
      code: null,
      publisher: null,
      lastFrameAt: null,
    });
  });

  it('of ten thousand cameras is one file of a few megabytes', async () => {
    const lives = new LastLives();
    for (let i = 0; i < 10_000; i++) {
      lives.cameraLive(`camera-${i}`, { ...who, encoder: 'x'.repeat(5000) });
      lives.cameraStopped(`camera-${i}`, 'y'.repeat(5000));
    }
    await new LastLiveFile(path, lives, silentLogger).write();
    expect((await readFile(path)).length).toBeLessThan(8e6);
    expect((await loaded()).lives.size).toBe(10_000);
  });
});
