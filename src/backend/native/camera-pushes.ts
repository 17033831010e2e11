import { maskTarget } from '../../address/rtmp-url.js';
import type { FlightRecorder } from '../../events/flight-recorder.js';
import type { Logger } from '../../log/log.js';
import type { Dialer } from '../../net/dialer.js';
import { Push } from '../../push/push.js';
import type { TargetWatch } from '../../push/target-watch.js';
import type { LiveStream } from '../../relay/live-stream.js';
import type { NetSettings } from '../../rtmp/settings.js';
import type { DesiredPush } from '../backend.js';

export interface CameraPushesOptions {
  readonly camera: string;
  readonly settings: NetSettings;
  readonly watch: TargetWatch;
  readonly dialer: Dialer;
  readonly log: Logger;
  /** Of the camera. */
  readonly recorder: FlightRecorder;
  /** A push is in another state than before. */
  readonly onPhase: (id: string, push: Push) => void;
}

/** The pushes of one camera: made when its stream first begins, told of what becomes of it, and of what is declared. */
export class CameraPushes {
  readonly #options: CameraPushesOptions;
  /** What was declared, while the camera was never live: ten thousand idle cameras shall cost little. */
  #asleep: readonly DesiredPush[] | null = [];
  readonly #pushes = new Map<string, Push>();
  /** Pushes that were removed and say goodbye. */
  readonly #leaving = new Map<Push, Promise<void>>();
  /** Null while nothing feeds it. */
  #stream: LiveStream | null = null;
  /** Of those that are gone. */
  #pastBytes = 0;

  constructor(options: CameraPushesOptions) {
    this.#options = options;
  }

  /** True while the camera was never live. */
  get isAsleep(): boolean {
    return this.#asleep !== null;
  }

  /** By id; none of a camera that was never live: there is nothing to be seen of them. */
  get all(): ReadonlyMap<string, Push> {
    return this.#pushes;
  }

  /** Bytes handed to targets, ever. */
  get bytesOut(): number {
    let bytes = this.#pastBytes;
    for (const push of this.#pushes.values()) bytes += push.bytesOut;
    for (const push of this.#leaving.keys()) bytes += push.bytesOut;
    return bytes;
  }

  /** Converges to the declared pushes. One that is declared as it was is left alone. */
  declare(declared: readonly DesiredPush[]): void {
    if (this.#asleep !== null) {
      this.#asleep = declared;
      return;
    }
    const wanted = new Map(declared.map((push) => [push.id, push]));
    for (const [id, push] of this.#pushes) {
      if (wanted.get(id)?.url !== push.url) this.#remove(id, push);
    }
    for (const each of declared) {
      const existing = this.#pushes.get(each.id);
      if (existing === undefined) {
        this.#add(each);
        continue;
      }
      existing.setLimits(this.#limitsOf(each));
      existing.setEnabled(each.enabled);
    }
  }

  /** The camera is live with this stream, anew or again. */
  begin(stream: LiveStream): void {
    const declared = this.#asleep ?? [];
    this.#asleep = null;
    for (const push of declared) this.#add(push);
    this.#stream = stream;
    for (const push of this.#pushes.values()) push.begin(stream);
  }

  /** Nothing feeds the stream, which may go on. */
  pause(): void {
    this.#stream = null;
    for (const push of this.#pushes.values()) push.pause();
  }

  /** The stream is over. */
  end(): void {
    this.#stream = null;
    for (const push of this.#pushes.values()) push.end();
  }

  tick(nowMs: number): void {
    for (const push of this.#pushes.values()) push.tick(nowMs);
  }

  /** Resolves when they sent what the stream still had for them. */
  async drained(): Promise<void> {
    await Promise.all([...this.#pushes.values()].map((push) => push.drained()));
  }

  /** Removes all. Resolves when their targets were told. */
  async close(): Promise<void> {
    for (const [id, push] of this.#pushes) this.#remove(id, push);
    await Promise.all(this.#leaving.values());
  }

  #add({ id, url, enabled, ...budget }: DesiredPush): void {
    const { camera, settings, watch, dialer, log, recorder, onPhase } = this.#options;
    const push = new Push({
      url,
      shownUrl: maskTarget(url, camera),
      enabled,
      limits: this.#limitsOf(budget),
      settings,
      watch,
      dialer,
      log: log.child({ push: id }),
      onPhase: () => onPhase(id, push),
    });
    this.#pushes.set(id, push);
    recorder.note('push', `${id} added`);
    if (this.#stream !== null) push.begin(this.#stream);
  }

  #remove(id: string, push: Push): void {
    this.#pushes.delete(id);
    this.#options.recorder.note('push', `${id} removed`);
    const leaving = push.close().finally(() => {
      this.#leaving.delete(push);
      this.#pastBytes += push.bytesOut;
    });
    this.#leaving.set(push, leaving);
  }

  #limitsOf(budget: Pick<DesiredPush, 'queueMaxBytes' | 'queueMaxAgeMs'>): {
    queueMaxBytes: number;
    queueMaxAgeMs: number;
  } {
    const { settings } = this.#options;
    return {
      queueMaxBytes: budget.queueMaxBytes ?? settings.queueMaxBytes,
      queueMaxAgeMs: budget.queueMaxAgeMs ?? settings.queueMaxAgeMs,
    };
  }
}
