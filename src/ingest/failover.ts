import { CodedError } from '../errors.js';
import type { StandbyGop } from '../relay/standby-gop.js';
import { healthOf, type IngestHealth } from './ingest-health.js';
import { isOfIngest } from './source.js';
import type { SourceIngest } from './source-ingest.js';

/** How long a switch without need waits for a key frame; after that it goes on with the GOP that is kept. */
const patienceMs = 3000;

/** Why the stream continues with another ingest: the live one fails, a preferred one is well again, or somebody asked. */
export interface SwitchReason {
  readonly cause: 'failure' | 'back' | 'asked';
  /** In words. */
  readonly text: string;
}

/** The ingests of a camera, as they are desired. */
export interface DesiredIngests {
  /** Their names, in the order in which they are preferred. */
  readonly names: readonly string[];
  /** For how long an ingest that is preferred has to be well until it is live again; null: it never is by itself. */
  readonly switchBackMs: number | null;
  /** What is shown when no ingest is left, and for how long at most; null: nothing. */
  readonly slate: { readonly file: string; readonly durationMs: number } | null;
}

/** The sources of a camera, for whoever decides between them. */
export interface FailoverHost {
  readonly live: SourceIngest | null;
  readonly desired: DesiredIngests;
  readonly connected: ReadonlyMap<string, SourceIngest>;
  keptOf(ingest: SourceIngest): StandbyGop | undefined;
  /** A monotonic clock, milliseconds. */
  now(): number;
  /** Goes on with this ingest, now. */
  switchTo(to: SourceIngest, reason: SwitchReason): void;
  /** Goes on with the slate, now. @returns false where there is none to be shown */
  showSlate(reason: string): boolean;
  /** An ingest is live and ready. */
  noteReady(): void;
}

/** A switch that waits for a key frame. */
interface Planned {
  readonly to: SourceIngest;
  readonly reason: SwitchReason;
  /** From then on it does not wait, on the monotonic clock. */
  readonly untilMs: number;
  readonly settle: (error: CodedError | null) => void;
}

/** What was wrong with the ingest that is switched away from. */
const failures: Readonly<Record<Exclude<IngestHealth, 'ready'>, string>> = {
  starting: 'sends nothing',
  stalled: 'stalled',
  'no-picture': 'sends no picture any more',
};

/**
 * Decides when a camera's stream goes on with another of its ingests, always at a key frame. What it looks at is how each
 * does (`healthOf`):
 *
 * - The live one ends, stalls or loses its picture: the next that is ready takes its place, at once with the GOP that is
 *   kept of it. While none is ready, the live one stays, and may recover.
 * - One that is preferred has been well for long enough, or somebody asks for one: the stream goes over at its next key
 *   frame, so that nothing is missed or seen twice.
 */
export class Failover {
  readonly #host: FailoverHost;
  readonly #afterMs: number;
  /** Since when each has been ready without a break, on the monotonic clock. */
  #readySince: WeakMap<SourceIngest, number> | null = null;
  #planned: Planned | null = null;
  /** Somebody chose the live one, which stays until it fails. */
  #isChosen = false;

  /** @param afterMs how long frames may be missed */
  constructor(host: FailoverHost, afterMs: number) {
    this.#host = host;
    this.#afterMs = afterMs;
  }

  healthOf(ingest: SourceIngest, nowMs: number): IngestHealth {
    return healthOf(ingest, this.#afterMs, nowMs);
  }

  /** Call several times while frames may be missed. @param nowMs a monotonic clock */
  look(nowMs: number): void {
    for (const ingest of this.#host.connected.values()) this.#note(ingest, nowMs);
    const { live } = this.#host;
    if (live === null) return;
    const isPublisher = isOfIngest(live.source);
    const health = this.healthOf(live, nowMs);
    if (isPublisher && health === 'ready') this.#host.noteReady();
    if (!isPublisher || health === 'stalled' || health === 'no-picture') this.#replace(live, health, nowMs);
    else this.#lookWithoutNeed(live, nowMs);
  }

  /**
   * The live ingest ended: the best there is follows it, else the slate, else one that is not ready. It is not among those
   * that are connected any more.
   * @param why in words @returns false when there is none
   */
  replaceEnded(ended: SourceIngest, why: string): boolean {
    const reason = { cause: 'failure', text: `"${ended.name}" ended: ${why}` } as const;
    const ready = this.#best(ended, false, this.#host.now());
    if (ready === null && this.#host.showSlate(reason.text)) return true;
    const best = ready ?? this.#preferred().next().value ?? null;
    if (best === null) return false;
    const planned = this.#planned;
    if (planned !== null && planned.to === best) this.#carryOut({ ...planned, reason });
    else this.#carryOut({ to: best, reason, untilMs: 0, settle: () => {} });
    return true;
  }

  /** An ingest that stands by has sent a key frame, which is kept. */
  onKeyFrame(ingest: SourceIngest): void {
    if (this.#planned?.to === ingest) this.#carryOut(this.#planned);
  }

  /** An ingest is gone. @param why in words */
  forget(ingest: SourceIngest, why: string): void {
    if (this.#planned?.to === ingest) this.#drop(`ingest "${ingest.name}" is gone: ${why}`);
  }

  /** Nothing is switched any more. */
  stop(): void {
    if (this.#planned !== null) this.#drop('the camera is no longer live');
    this.#isChosen = false;
  }

  /**
   * Goes over to an ingest as somebody asks, and stays with it until it fails. Resolves when it is live.
   * @param name undefined: the one that would follow if the live one failed
   * @throws (rejects) CodedError INGEST_NOT_FOUND, INGEST_NOT_READY
   */
  async ask(name: string | undefined): Promise<void> {
    const { live, desired, connected } = this.#host;
    if (name !== undefined && !desired.names.includes(name)) {
      const names = desired.names.map((each) => `"${each}"`).join(', ');
      throw new CodedError('INGEST_NOT_FOUND', `there is no ingest "${name}"; there are: ${names}`);
    }
    if (live === null) throw new CodedError('INGEST_NOT_READY', 'the camera is not live: there is nothing to switch');
    const nowMs = this.#host.now();
    const to = name === undefined ? this.#best(live, false, nowMs) : connected.get(name);
    if (to !== undefined && to === live) {
      this.#isChosen = true;
      return;
    }
    const health = to === undefined || to === null ? 'offline' : this.healthOf(to, nowMs);
    if (to === undefined || to === null || health !== 'ready') {
      const what = name === undefined ? 'no other ingest is ready' : `ingest "${name}" is ${health}, and not ready`;
      throw new CodedError('INGEST_NOT_READY', `${what}; the live one is "${live.name}"`);
    }
    const error = await new Promise<CodedError | null>((settle) => {
      this.#plan(to, { cause: 'asked', text: 'somebody asked for it' }, nowMs, settle);
    });
    if (error !== null) throw error;
  }

  /** The live one fails. */
  #replace(live: SourceIngest, health: IngestHealth, nowMs: number): void {
    const best = this.#best(live, health === 'no-picture', nowMs);
    if (best === null) {
      // One that is slow to send its first key frame is waited for: of it nothing was seen yet that could be missed.
      const isMissed = health === 'stalled' || (health === 'no-picture' && live.hasBegun);
      if (isMissed) this.#host.showSlate(`"${live.name}" ${failures[health]}`);
      return;
    }
    this.#isChosen = false;
    const isShown = isOfIngest(live.source) && health !== 'ready';
    const text = isShown ? `"${live.name}" ${failures[health]}` : `"${best.name}" is there`;
    this.#plan(best, { cause: 'failure', text }, nowMs);
  }

  #lookWithoutNeed(live: SourceIngest, nowMs: number): void {
    const planned = this.#planned;
    if (planned !== null) {
      if (planned.reason.cause === 'failure') this.#drop('the live one is well again');
      else if (this.healthOf(planned.to, nowMs) !== 'ready')
        this.#drop(`ingest "${planned.to.name}" is not ready any more`);
      else if (nowMs >= planned.untilMs && this.#canStart(planned.to)) this.#carryOut(planned);
      return;
    }
    const { switchBackMs } = this.#host.desired;
    if (switchBackMs === null || this.#isChosen) return;
    for (const ingest of this.#preferred()) {
      if (ingest === live) return;
      const since = this.#readySince?.get(ingest);
      if (since === undefined || nowMs - since < switchBackMs) continue;
      const seconds = Math.round((nowMs - since) / 1000);
      this.#plan(ingest, { cause: 'back', text: `"${ingest.name}" has been well for ${seconds} s` }, nowMs);
      return;
    }
  }

  #note(ingest: SourceIngest, nowMs: number): void {
    if (this.healthOf(ingest, nowMs) !== 'ready') this.#readySince?.delete(ingest);
    else {
      this.#readySince ??= new WeakMap();
      if (!this.#readySince.has(ingest)) this.#readySince.set(ingest, nowMs);
    }
  }

  #plan(to: SourceIngest, reason: SwitchReason, nowMs: number, settle?: Planned['settle']): void {
    const known = this.#planned;
    if (known !== null && known.to !== to) this.#drop(`another switch came before it, to "${to.name}"`);
    const before = known?.to === to ? known : null;
    const planned: Planned = {
      to,
      // What there is no need for waits for a key frame; a failure in the meantime does not.
      reason: before === null || reason.cause === 'failure' ? reason : before.reason,
      untilMs: before?.untilMs ?? nowMs + patienceMs,
      // Looked at again and again while it waits: only who asks anew is one more to be told.
      settle:
        settle === undefined
          ? (before?.settle ?? (() => {}))
          : (error) => {
              before?.settle(error);
              settle(error);
            },
    };
    this.#planned = planned;
    if (!this.#canStart(to)) return;
    // Sound alone has no key frames to wait for.
    if (planned.reason.cause === 'failure' || !to.startsAtVideo) this.#carryOut(planned);
  }

  #carryOut({ to, reason, settle }: Planned): void {
    if (this.#planned?.to === to) this.#planned = null;
    this.#isChosen = reason.cause === 'asked';
    this.#host.switchTo(to, reason);
    settle(null);
  }

  #drop(why: string): void {
    const planned = this.#planned;
    this.#planned = null;
    planned?.settle(new CodedError('INGEST_NOT_READY', `the switch was cancelled: ${why}`));
  }

  /** The best that is ready: with a picture before others, able to start at once before others, then by the order. */
  #best(live: SourceIngest, needsPicture: boolean, nowMs: number): SourceIngest | null {
    let best: SourceIngest | null = null;
    let bestRank = -1;
    for (const ingest of this.#preferred()) {
      if (ingest === live || this.healthOf(ingest, nowMs) !== 'ready') continue;
      const hasPicture = ingest.meter.videoFrames > 0;
      if (needsPicture && !hasPicture) continue;
      const rank = (hasPicture ? 2 : 0) + (this.#canStart(ingest) ? 1 : 0);
      if (rank > bestRank) [best, bestRank] = [ingest, rank];
    }
    return best;
  }

  /** Without waiting for a key frame. */
  #canStart(ingest: SourceIngest): boolean {
    return (this.#host.keptOf(ingest)?.oldest ?? null) !== null || !ingest.startsAtVideo || ingest.missesKeyFrames;
  }

  /** Those that are connected, in the order in which they are preferred. */
  *#preferred(): Generator<SourceIngest> {
    const { desired, connected } = this.#host;
    for (const name of desired.names) {
      const ingest = connected.get(name);
      if (ingest !== undefined) yield ingest;
    }
  }
}
