import { describe, expect, it } from 'vitest';
import { evidenceOf } from '../../src/backend/native/evidence.js';
import { CameraHealth } from '../../src/health/camera-health.js';
import { type CameraEvidence, defaultHealthLimits, type HealthLimits } from '../../src/health/evidence.js';
import { refusalMs } from '../../src/health/rules.js';
import type { Source } from '../../src/ingest/source.js';
import { SourceIngest } from '../../src/ingest/source-ingest.js';
import { CameraPlan, type CameraShape, healthyCameras } from '../support/camera-plan.js';

const source: Source = {
  ...{ id: 'publisher 1', kind: 'publisher', remote: '192.0.2.1:4000', encoder: 'test', via: '', priority: 1 },
  ...{ lastMediaMs: 0, ignoredMessages: 0 },
  close() {},
};
const listener = { onMetadata() {}, onUnreadable() {}, onKeyFrames() {}, onEnded() {} };

/** A camera and whoever judges it, on a clock of the test: the ingest and the rules are real, the time is not. */
class Trial {
  readonly told: string[] = [];
  readonly health: CameraHealth;
  readonly limits: HealthLimits;
  plan: CameraPlan;
  #ingest: SourceIngest;
  #nowMs = performance.now() + 1e9;
  #beganMs = this.#nowMs;
  #sources = 1;
  live = true;
  /** What is seen beside what is sent. */
  more: Partial<CameraEvidence> = {};

  constructor(shape: Partial<CameraShape>, limits: Partial<HealthLimits> = {}) {
    this.limits = { ...defaultHealthLimits, ...limits };
    this.health = new CameraHealth(({ code }, isRaised) => this.told.push(`${isRaised ? '+' : '-'}${code}`));
    [this.#ingest, this.plan] = this.#publish(shape);
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  get codes(): string[] {
    return this.health.list.map(({ code }) => code);
  }

  #publish(shape: Partial<CameraShape>): [SourceIngest, CameraPlan] {
    const ingest = new SourceIngest({
      ...{ source: { ...source, id: `publisher ${this.#sources++}` }, via: [], withoutKeyFrames: 'pass', listener },
    });
    this.#beganMs = this.#nowMs;
    const plan = new CameraPlan(shape, this.#nowMs, (type, timestampMs, payload) => {
      ingest.write(type, timestampMs, payload, this.#nowMs);
    });
    plan.begin();
    this.health.memory.published(this.#nowMs);
    this.live = true;
    return [ingest, plan];
  }

  republish(shape: Partial<CameraShape> = this.plan.shape): void {
    [this.#ingest, this.plan] = this.#publish(shape);
  }

  stop(code?: 'RTMP_LIMIT'): void {
    this.live = false;
    if (code !== undefined) this.health.memory.ended = { atMs: this.#nowMs, code, message: 'too much' };
    this.health.look(null, this.limits, this.#nowMs);
  }

  run(seconds: number): void {
    const stepMs = 50;
    for (let i = 0; i < seconds * (1000 / stepMs); i++) {
      this.#nowMs += stepMs;
      if (this.live) this.plan.until(this.#nowMs);
      if (Math.round(this.#nowMs / stepMs) % (1000 / stepMs) !== 0) continue;
      this.#ingest.tick(this.#nowMs);
      const liveForMs = this.#nowMs - this.#beganMs;
      const seen = this.live ? { ...evidenceOf(this.#ingest, this.#nowMs), liveForMs, ...this.more } : null;
      this.health.look(seen, this.limits, this.#nowMs);
    }
  }

  /** Seconds until this was told; undefined: not within so many. */
  secondsUntil(word: string, within: number): number | undefined {
    for (let seconds = 1; seconds <= within; seconds++) {
      this.run(1);
      if (this.told.at(-1) === word || this.told.slice(-3).includes(word)) return seconds;
    }
    return undefined;
  }
}

interface Fault {
  readonly code: string;
  readonly shape?: Partial<CameraShape>;
  readonly wrong: Partial<CameraShape>;
  /** Seconds: it is raised not before, and by then. */
  readonly raised: readonly [number, number];
  readonly cleared: number;
  /** What is there as well, rightly. */
  readonly beside?: readonly string[];
}

const faults: Readonly<Record<string, Fault>> = {
  freezes: { code: 'CAMERA_SILENT', wrong: { isFrozen: true }, raised: [5, 7], cleared: 4 },
  'of one frame in 4 s freezes': {
    ...{ code: 'CAMERA_SILENT', shape: healthyCameras['one-in-4s'] ?? {}, wrong: { isFrozen: true } },
    ...{ raised: [10, 17], cleared: 8 },
  },
  'sends sound and no more video': { code: 'CAMERA_NO_VIDEO', wrong: { fps: 0 }, raised: [5, 7], cleared: 5 },
  'sends video and no more sound': { code: 'CAMERA_NO_AUDIO', wrong: { audioFps: 0 }, raised: [10, 12], cleared: 5 },
  'sends frames of nearly no bytes': {
    ...{ code: 'CAMERA_BITRATE_LOW', shape: { audioFps: 0, fps: 5 }, wrong: { frameBytes: 9, gopSeconds: 9 } },
    ...{ raised: [5, 25], cleared: 20 },
  },
  'sends a fifth of its frames': { code: 'CAMERA_FEW_FRAMES', wrong: { fps: 5 }, raised: [20, 35], cleared: 20 },
  'has key frames 15 s apart': {
    code: 'CAMERA_KEY_FRAMES_RARE',
    wrong: { gopSeconds: 15 },
    raised: [9, 12],
    cleared: 18,
  },
  'jumps in time': { code: 'CAMERA_TIMESTAMPS_JUMP', wrong: { jumpSeconds: 6 }, raised: [10, 45], cleared: 62 },
  'runs 10 % too fast': { code: 'CAMERA_TIMESTAMPS_DRIFT', wrong: { speed: 1.1 }, raised: [20, 45], cleared: 35 },
  'runs 10 % too slow': { code: 'CAMERA_TIMESTAMPS_DRIFT', wrong: { speed: 0.9 }, raised: [20, 45], cleared: 35 },
  'has its sound 3 s ahead': {
    ...{ code: 'CAMERA_AUDIO_VIDEO_APART', wrong: { audioAheadMs: 2900 }, raised: [4, 8] as const, cleared: 8 },
  },
};

describe('a camera that', () => {
  for (const [what, fault] of Object.entries(faults)) {
    it(`${what} is in trouble, and well again afterwards`, () => {
      const trial = new Trial(fault.shape ?? {});
      trial.run(120);
      expect(trial.told).toEqual([]);
      const before: Partial<CameraShape> = { ...trial.plan.shape };
      Object.assign(trial.plan.shape, fault.wrong);
      const raised = trial.secondsUntil(`+${fault.code}`, fault.raised[1]);
      expect(raised).toBeGreaterThanOrEqual(fault.raised[0]);
      trial.run(60);
      expect(trial.codes).toEqual([fault.code]);
      const [condition] = trial.health.list;
      expect(condition?.label).toMatch(/^[a-z][a-z ]{4,30}$/);
      expect(condition?.advice).toMatch(/\.$/);
      Object.assign(trial.plan.shape, before);
      expect(trial.secondsUntil(`-${fault.code}`, fault.cleared)).toBeGreaterThan(0);
      trial.run(120);
      expect(trial.told).toEqual([`+${fault.code}`, `-${fault.code}`]);
    });
  }

  it('declares sound and sends none is in trouble from its beginning', () => {
    const trial = new Trial({});
    trial.plan.shape.audioFps = 0;
    trial.run(20);
    expect(trial.codes).toEqual(['CAMERA_NO_AUDIO']);
  });

  it('comes back without its picture is in trouble', () => {
    const trial = new Trial({});
    trial.run(30);
    trial.stop();
    trial.run(2);
    trial.republish(healthyCameras['audio-only']);
    trial.run(15);
    expect(trial.codes).toEqual(['CAMERA_NO_VIDEO']);
  });

  it('sends sound in G.711 is told that hardly anybody takes it', () => {
    const trial = new Trial({ audioTag: 0x72 });
    trial.run(10);
    expect(trial.codes).toEqual(['CAMERA_CODEC']);
  });

  it('sends sound in G.711 plays with its picture, and is no trouble where every push has another sound', () => {
    const trial = new Trial({ audioTag: 0x72 });
    trial.run(10);
    expect(trial.health.list[0]?.message).toBe(
      'the camera sends audio g711a, which this page and most engines cannot take; its picture is not concerned',
    );
    trial.more = { isSoundReplaced: true };
    trial.run(10);
    expect(trial.codes).toEqual([]);
    trial.more = { isSoundReplaced: true, targetTroubles: ['push p: the target does not name hvc1'] };
    trial.run(10);
    expect(trial.codes).toEqual(['CAMERA_CODEC']);
  });

  it('sends the same picture for half a minute is a notice', () => {
    const trial = new Trial({});
    trial.more = { stillForMs: 29_000 };
    trial.run(5);
    expect(trial.codes).toEqual([]);
    trial.more = { stillForMs: 31_000 };
    trial.run(2);
    expect(trial.health.list).toMatchObject([{ code: 'CAMERA_STILL', level: 'notice' }]);
    trial.more = { stillForMs: 0 };
    trial.run(2);
    expect(trial.codes).toEqual([]);
  });

  it('says 30 frames a second and never sends more than 6 is in trouble', () => {
    const trial = new Trial({ fps: 6, saysFps: 30 });
    trial.run(40);
    expect(trial.codes).toEqual(['CAMERA_FEW_FRAMES']);
  });

  it('sends nearly what its limit allows is in trouble before it is ended, and for a minute after', () => {
    const trial = new Trial({ audioFps: 0 }, { maxBps: 400_000 });
    trial.run(60);
    expect(trial.codes).toEqual([]);
    trial.plan.shape.frameBytes = 1750;
    expect(trial.secondsUntil('+CAMERA_BITRATE_HIGH', 15)).toBeGreaterThan(1);
    trial.stop('RTMP_LIMIT');
    trial.run(5);
    expect(trial.codes).toEqual(['CAMERA_BITRATE_HIGH']);
    trial.run(refusalMs / 1000 + 12);
    expect(trial.told).toEqual(['+CAMERA_BITRATE_HIGH', '-CAMERA_BITRATE_HIGH']);
  });

  it('comes and goes is in trouble, live or not, and well when it stayed', () => {
    const trial = new Trial({});
    for (let i = 0; i < 4; i++) {
      trial.run(10);
      trial.stop();
      trial.run(5);
      trial.republish();
    }
    trial.run(1);
    expect(trial.codes).toEqual(['CAMERA_FLAPPING']);
    trial.stop();
    trial.run(5);
    expect(trial.codes).toEqual(['CAMERA_FLAPPING']);
    trial.republish();
    expect(trial.secondsUntil('-CAMERA_FLAPPING', 310)).toBeGreaterThan(60);
    expect(trial.told).toEqual(['+CAMERA_FLAPPING', '-CAMERA_FLAPPING']);
  });

  it('is refused for its key is in trouble until it is let in, or gives up', () => {
    const trial = new Trial({});
    const refusal = { code: 'PUBLISH_FORBIDDEN', message: 'wrong key' } as const;
    trial.stop();
    trial.health.memory.refused({ ...refusal, atMs: trial.nowMs });
    trial.run(2);
    expect(trial.codes).toEqual(['CAMERA_PUBLISHER_REFUSED']);
    trial.run(refusalMs / 1000 + 1);
    expect(trial.codes).toEqual([]);
    trial.health.memory.refused({ ...refusal, atMs: trial.nowMs });
    trial.run(1);
    trial.health.memory.forgetRefusals();
    trial.republish();
    trial.run(2);
    expect(trial.codes).toEqual([]);
  });

  it('comes back before its old connection is known to be dead is in no trouble', () => {
    const trial = new Trial({});
    trial.run(20);
    const refusal = { code: 'PUBLISH_ALREADY_LIVE', message: 'live from elsewhere' } as const;
    for (let i = 0; i < 2; i++) trial.health.memory.refused({ ...refusal, atMs: trial.nowMs });
    trial.run(5);
    expect(trial.told).toEqual([]);
    trial.health.memory.refused({ ...refusal, atMs: trial.nowMs });
    trial.run(2);
    expect(trial.codes).toEqual(['CAMERA_PUBLISHER_REFUSED']);
  });

  it('stops is blamed for nothing that it sent', () => {
    const trial = new Trial({});
    trial.run(20);
    trial.plan.shape.fps = 0;
    trial.run(10);
    expect(trial.codes).toEqual(['CAMERA_NO_VIDEO']);
    trial.stop();
    expect(trial.codes).toEqual([]);
  });

  it('breaks off now and then for less than the limits is in no trouble', () => {
    const trial = new Trial({});
    trial.run(30);
    for (let i = 0; i < 20; i++) {
      trial.plan.shape.isFrozen = true;
      trial.run(3);
      trial.plan.shape.isFrozen = false;
      trial.run(15);
    }
    expect(trial.told).toEqual([]);
  });
});

describe('a healthy camera', () => {
  for (const [name, shape] of Object.entries(healthyCameras)) {
    it(`${name} is in no trouble for half an hour`, () => {
      const trial = new Trial(shape);
      trial.run(1800);
      expect(trial.told).toEqual([]);
    });
  }

  it('that is switched off by its limits is in none, whatever it does', () => {
    const off = Object.fromEntries(Object.keys(defaultHealthLimits).map((key) => [key, 0]));
    const trial = new Trial({}, { ...off, flapWindowMs: 60_000 });
    trial.run(60);
    for (const { wrong } of Object.values(faults)) {
      Object.assign(trial.plan.shape, { ...wrong });
      trial.run(40);
    }
    expect(trial.told).toEqual([]);
  });
});
