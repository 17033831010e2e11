import { messageOf } from '../errors.js';
import { Stretch } from '../fairness/stretch.js';
import { type CameraCondition, CameraHealth } from '../health/camera-health.js';
import type { CameraEvidence } from '../health/evidence.js';
import { defaultHealthLimits, type HealthLimits } from '../health/evidence.js';
import type { Logger } from '../log/log.js';
import { wallMsAt } from '../process/wall-clock.js';
import { reasonCode } from './reason-code.js';
import type { ControlSettings } from './settings.js';

const lookEveryMs = 1000;

/** What a health watch asks of the media backend. */
export interface EvidenceSource {
  evidence(name: string): CameraEvidence | null;
}

/** Told when a condition of a camera begins or ends. */
export type CameraConditionListener = (camera: string, condition: CameraCondition, isRaised: boolean) => void;

/**
 * Judges every live camera about once a second, in short stretches between turns of the event loop. What is counted is
 * the media backend's; the rules are those of `health/`.
 */
export class HealthWatch {
  readonly #backend: EvidenceSource;
  readonly #live: ReadonlySet<string>;
  readonly #limits: HealthLimits;
  readonly #listener: CameraConditionListener;
  readonly #log: Logger;
  readonly #onFrame: ((camera: string, atMs: number) => void) | undefined;
  readonly #cameras = new Map<string, CameraHealth>();
  /** Cameras that are not live but still have conditions to judge. */
  readonly #restless = new Set<string>();
  #timer: NodeJS.Timeout | null = null;
  #isLooking = false;

  constructor(options: {
    backend: EvidenceSource;
    /** The names of the cameras that are live. */
    live: ReadonlySet<string>;
    limits: HealthLimits;
    listener: CameraConditionListener;
    /** Told when the last frame of a live camera came, milliseconds since 1970, at each look. */
    onFrame?: (camera: string, atMs: number) => void;
    log: Logger;
  }) {
    this.#onFrame = options.onFrame;
    this.#backend = options.backend;
    this.#live = options.live;
    this.#limits = options.limits;
    this.#listener = options.listener;
    this.#log = options.log;
  }

  start(): void {
    this.#timer ??= setInterval(() => void this.look(), lookEveryMs).unref();
  }

  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  /** What is wrong with a camera, the gravest first. */
  conditionsOf(name: string): readonly CameraCondition[] {
    return this.#cameras.get(name)?.list ?? [];
  }

  /** The cameras that have conditions. */
  *troubled(): Generator<[string, readonly CameraCondition[]]> {
    for (const [name, { list }] of this.#cameras) if (list.length > 0) yield [name, list];
  }

  cameraLive(name: string): void {
    const { memory } = this.#of(name);
    memory.published(performance.now());
    // A publisher that was refused before has succeeded.
    memory.forgetRefusals();
  }

  /** @param reason in words, with its code before it where it has one */
  cameraStopped(name: string, reason: string | null): void {
    const health = this.#cameras.get(name);
    if (health === undefined) return;
    const code = reasonCode(reason);
    if (code !== null && reason !== null) {
      health.memory.ended = { atMs: performance.now(), code, message: reason.slice(code.length + 2) };
    }
    // At once: its conditions ended with it.
    this.#judge(name, health, performance.now());
  }

  /** A publisher of this camera was refused. */
  publisherRefused(name: string, refusal: { readonly code: CameraCondition['code']; readonly message: string }): void {
    this.#of(name).memory.refused({ ...refusal, atMs: performance.now() });
    this.#restless.add(name);
  }

  forget(name: string): void {
    this.#cameras.delete(name);
    this.#restless.delete(name);
  }

  /** Judges all once. Never rejects; a look that takes longer is not overtaken. */
  async look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    try {
      const stretch = new Stretch();
      for (const name of new Set([...this.#live, ...this.#restless])) {
        // A camera that was live before this process watched it is known from now on.
        const health = this.#live.has(name) ? this.#of(name) : this.#cameras.get(name);
        if (health !== undefined) this.#judgeSafely(name, health);
        if (stretch.isOver) await stretch.rest();
      }
    } finally {
      this.#isLooking = false;
    }
  }

  /** An error in judging one camera affects no other camera, and does not end the process. */
  #judgeSafely(name: string, health: CameraHealth): void {
    try {
      this.#judge(name, health, performance.now());
    } catch (error) {
      this.#log.error('the health of a camera cannot be judged', { camera: name, error: messageOf(error) });
    }
  }

  #judge(name: string, health: CameraHealth, nowMs: number): void {
    const isLive = this.#live.has(name);
    const seen = isLive ? this.#backend.evidence(name) : null;
    // It is live without evidence: its conditions stay as they are.
    if (isLive && seen === null) return;
    if (seen !== null && this.#onFrame !== undefined) {
      const ageMs = Math.min(seen.videoAgeMs ?? Infinity, seen.audioAgeMs ?? Infinity);
      if (Number.isFinite(ageMs)) this.#onFrame(name, Math.round(wallMsAt(performance.now() - ageMs)));
    }
    health.look(seen, this.#limits, nowMs);
    if (isLive || health.isAtRest) this.#restless.delete(name);
    else this.#restless.add(name);
  }

  #of(name: string): CameraHealth {
    let health = this.#cameras.get(name);
    if (health === undefined) {
      health = new CameraHealth((condition, isRaised) => this.#tell(name, condition, isRaised));
      this.#cameras.set(name, health);
    }
    return health;
  }

  #tell(camera: string, condition: CameraCondition, isRaised: boolean): void {
    const { code, message: reason, since } = condition;
    if (isRaised) this.#log.warn('a camera is in trouble', { camera, code, reason });
    else this.#log.info('a camera has recovered', { camera, code, since });
    this.#listener(camera, condition, isRaised);
  }
}

/** The limits that the settings have. */
export function healthLimits(settings: ControlSettings): HealthLimits {
  const d = defaultHealthLimits;
  const maxKbps = settings.media?.maxBitrateKbps;
  return {
    silentMs: settings.cameraSilentMs ?? d.silentMs,
    noVideoMs: settings.cameraNoVideoMs ?? d.noVideoMs,
    noAudioMs: settings.cameraNoAudioMs ?? d.noAudioMs,
    stillMs: settings.cameraStillMs ?? d.stillMs,
    lowFrameRatePercent: settings.cameraLowFrameRatePercent ?? d.lowFrameRatePercent,
    keyFrameGapMs: settings.cameraKeyFrameGapMs ?? d.keyFrameGapMs,
    timestampJumps: settings.cameraTimestampJumps ?? d.timestampJumps,
    driftPercent: settings.cameraDriftPercent ?? d.driftPercent,
    audioVideoMs: settings.cameraAudioVideoMs ?? d.audioVideoMs,
    minBps: settings.cameraMinKbps === undefined ? d.minBps : settings.cameraMinKbps * 1000,
    maxBps: maxKbps === undefined ? d.maxBps : maxKbps * 1000,
    flaps: settings.cameraFlaps ?? d.flaps,
    flapWindowMs: settings.cameraFlapWindowMs ?? d.flapWindowMs,
  };
}
