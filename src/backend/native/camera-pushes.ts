import { setImmediate } from 'node:timers/promises';
import { maskTarget } from '../../address/rtmp-url.js';
import type { TargetError } from '../../errors.js';
import type { FlightRecorder } from '../../events/flight-recorder.js';
import { turnLine } from '../../fairness/turn-line.js';
import type { Logger } from '../../log/log.js';
import type { Dialer } from '../../net/dialer.js';
import { Push } from '../../push/push.js';
import { isSameProfile, profileOf } from '../../push/push-profile.js';
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
  /** As `PushOptions.takeRoom`. */
  readonly takeRoom: (id: string, wasRefused: boolean) => TargetError | undefined;
  /** A push is in another state than before. */
  readonly onPhase: (id: string, push: Push) => void;
}

/** Pushes that are made, removed or told something in one turn of the event loop; each takes a few microseconds. */
const stepsPerTurn = 250;

/** Of many that say the same a few are enough. */
const maxTroubles = 3;

/** Pushes that are only looked at, for one step. */
const looksPerStep = 16;

const noNodes: ReadonlyMap<string, string> = new Map();
const noPushes: ReadonlyMap<string, Push> = new Map();

/** What feeds the pushes: a stream, one that may go on, or none. */
type StreamState = LiveStream | 'paused' | 'over';

/** The pushes of one camera: made when its stream first begins, told of what becomes of it, and of what is declared. */
export class CameraPushes {
  readonly #makeOptions: () => CameraPushesOptions;
  #madeOptions: CameraPushesOptions | null = null;
  /** The camera was never live, and no push is made: ten thousand idle cameras shall cost little. */
  #isAsleep = true;
  #declared: readonly DesiredPush[] = [];
  /** By push that another node runs: which one. */
  #nodes = noNodes;
  /** What feeds the stream is this node's own, and not another node's. */
  #isOwn = true;
  /** What feeds them, and what each was told. */
  #state: StreamState = 'over';
  #told: WeakMap<Push, StreamState> | null = null;
  /** What is left to do to bring them there; null: nothing. */
  #steps: Generator<void, void> | null = null;
  #isInLine = false;
  #pushes: Map<string, Push> | null = null;
  /** Ids of pushes that were removed, to be made anew with another target or profile: those have their room. */
  #heirs: Set<string> | null = null;
  /** Pushes that were removed and say goodbye. */
  #leaving: Map<Push, Promise<void>> | null = null;
  /** Of those that are gone. */
  #pastBytes = 0;

  /** @param options asked for once, when the camera is live first */
  constructor(options: () => CameraPushesOptions) {
    this.#makeOptions = options;
  }

  get #options(): CameraPushesOptions {
    this.#madeOptions ??= this.#makeOptions();
    return this.#madeOptions;
  }

  /** True while the camera was never live. */
  get isAsleep(): boolean {
    return this.#isAsleep;
  }

  /** By id; none of a camera that was never live: there is nothing to be seen of them. */
  get all(): ReadonlyMap<string, Push> {
    return this.#pushes ?? noPushes;
  }

  /** How many have room, or keep it. */
  get holdingRoom(): number {
    let count = 0;
    for (const push of this.all.values()) if (push.holdsRoom) count++;
    return count;
  }

  /** How many would run here if the camera were live. */
  get wanted(): number {
    return this.#declared.filter(({ enabled, at }) => enabled && typeof at !== 'object').length;
  }

  /** Bytes handed to targets, ever. */
  get bytesOut(): number {
    let bytes = this.#pastBytes;
    for (const push of this.all.values()) bytes += push.bytesOut;
    for (const push of this.#leaving?.keys() ?? []) bytes += push.bytesOut;
    return bytes;
  }

  /** Converges to the declared pushes. One that is declared as it was is left alone. */
  declare(declared: readonly DesiredPush[]): void {
    this.#declared = declared;
    this.#nodes = declared.some(({ at }) => typeof at === 'object') ? nodesOf(declared) : noNodes;
    if (!this.#isAsleep) this.#converge();
  }

  /** The camera is live with this stream, anew or again. @param isOwn false: another node sends it */
  begin(stream: LiveStream, isOwn = true): void {
    this.#isOwn = isOwn;
    this.#isAsleep = false;
    this.#state = stream;
    this.#converge();
  }

  /** Nothing feeds the stream, which may go on. */
  pause(): void {
    this.#state = 'paused';
    if (!this.#isAsleep) this.#converge();
  }

  /** The stream is over. */
  end(): void {
    this.#state = 'over';
    // Of no stream a push runs elsewhere, unless it is declared to.
    this.#isOwn = true;
    if (!this.#isAsleep) this.#converge();
  }

  /**
   * Brings all pushes to what is declared and to what the stream is. Those of most cameras at once; of thousands, some in
   * each turn of the event loop, in their order. What changes meanwhile is taken up from the beginning, where those that are
   * as they should be cost next to nothing.
   */
  #converge(): void {
    this.#steps = this.#allSteps();
    this.#work();
  }

  #work(): void {
    const steps = this.#steps;
    for (let left = stepsPerTurn; steps !== null && left > 0; left--) {
      if (steps.next().done === true) this.#steps = null;
      if (this.#steps !== steps) break; // done, or changed by what was told
    }
    if (this.#steps === null || this.#isInLine) return;
    this.#isInLine = true;
    turnLine.join(this);
  }

  /** Called by the line. */
  goOn(): void {
    this.#isInLine = false;
    this.#work();
  }

  *#allSteps(): Generator<void, void> {
    const declared = this.#declared;
    const wanted = new Map(declared.map((push) => [push.id, push]));
    let looks = 0;
    for (const [id, push] of this.all) {
      const declaredNow = wanted.get(id);
      // What a target was told cannot be taken back: with another profile it is connected to anew.
      if (declaredNow?.url !== push.url || !isSameProfile(profileOf(declaredNow), push.profile)) {
        if (declaredNow !== undefined && push.holdsRoom) {
          this.#heirs ??= new Set();
          this.#heirs.add(id);
        }
        this.#remove(id, push);
        yield;
      } else if (++looks % looksPerStep === 0) yield;
    }
    for (const each of declared) {
      const existing = this.all.get(each.id);
      if (existing === undefined) this.#add(each);
      else {
        // One that is to run here again must not begin what is over.
        if (this.#state === 'over') this.#tell(existing);
        existing.setLimits(this.#limitsOf(each));
        existing.setEnabled(this.#where(each));
        if (++looks % looksPerStep !== 0) continue;
      }
      yield;
    }
    this.#heirs = null;
    for (const push of this.all.values()) {
      if (this.#tell(push) || ++looks % looksPerStep === 0) yield;
    }
  }

  /** Tells a push what became of the stream. False: it knows. */
  #tell(push: Push): boolean {
    const state = this.#state;
    const told = this.#told?.get(push) ?? 'over';
    // Nothing goes to who did not hear of the stream before it paused.
    if (told === state || (told === 'over' && state === 'paused')) return false;
    this.#told ??= new WeakMap();
    this.#told.set(push, state);
    if (state === 'paused') push.pause();
    else if (state === 'over') push.end();
    else push.begin(state);
    return true;
  }

  /** Why targets are not expected to take the codecs, of a few that say so. */
  codecTroubles(): readonly string[] {
    const troubles: string[] = [];
    for (const [id, push] of this.all) {
      const trouble = push.codecTrouble;
      if (trouble !== null && troubles.push(`push ${id}: ${trouble}`) === maxTroubles) break;
    }
    return troubles;
  }

  /** What the camera's health is judged by beside what it sends. */
  get codecEvidence() {
    return { isSoundReplaced: this.isSoundReplaced, targetTroubles: this.codecTroubles() };
  }

  /** True where there are pushes that run, and each has another sound than the camera's. */
  get isSoundReplaced(): boolean {
    const running = this.#declared.filter(({ enabled }) => enabled);
    return running.length > 0 && running.every(({ audio }) => audio !== undefined);
  }

  tick(nowMs: number): void {
    for (const push of this.all.values()) push.tick(nowMs);
  }

  /** Resolves when they sent what the stream still had for them. */
  async drained(): Promise<void> {
    await Promise.all([...this.all.values()].map((push) => push.drained()));
  }

  /** Removes all. Resolves when their targets were told. */
  async close(): Promise<void> {
    this.declare([]);
    while (this.#steps !== null) await setImmediate();
    await Promise.all(this.#leaving?.values() ?? []);
  }

  /** Of a stream that another node sends, only those run that are to run here. */
  #where({ enabled, at }: DesiredPush): boolean | 'elsewhere' {
    if (!enabled) return false;
    return at === 'here' || (at === undefined && this.#isOwn) ? true : 'elsewhere';
  }

  /** The node that runs a push, where it is known to be another one. */
  nodeOf(id: string): string | undefined {
    return this.#nodes.get(id);
  }

  #add(declared: DesiredPush): void {
    const { id, url, enabled: _, at: __, ...others } = declared;
    const { camera, settings, watch, dialer, log, recorder, onPhase, takeRoom } = this.#options;
    const isHeir = this.#heirs?.delete(id) === true;
    const push = new Push({
      url,
      shownUrl: maskTarget(url, camera),
      enabled: this.#where(declared),
      limits: this.#limitsOf(others),
      profile: profileOf(others),
      settings,
      watch,
      dialer,
      log: log.child({ push: id }),
      takeRoom: (wasRefused) => takeRoom(id, wasRefused),
      // Only one that begins at once would give it back when it ends.
      holdsRoom: isHeir && this.#where(declared) === true && typeof this.#state !== 'string',
      onPhase: () => onPhase(id, push),
    });
    this.#pushes ??= new Map();
    this.#pushes.set(id, push);
    recorder.note('push', `${id} added`);
    if (this.#state !== 'paused') this.#tell(push);
  }

  #remove(id: string, push: Push): void {
    this.#pushes?.delete(id);
    this.#options.recorder.note('push', `${id} removed`);
    const leaving = push.close().finally(() => {
      this.#leaving?.delete(push);
      this.#pastBytes += push.bytesOut;
    });
    this.#leaving ??= new Map();
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

function nodesOf(pushes: readonly DesiredPush[]): ReadonlyMap<string, string> {
  const nodes = new Map<string, string>();
  for (const { id, at } of pushes) if (typeof at === 'object') nodes.set(id, at.node);
  return nodes;
}
