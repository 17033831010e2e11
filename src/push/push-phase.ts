import type { FlightRecorder } from '../events/flight-recorder.js';

/**
 * What a push does at the moment. `disabled`: it was switched off; `elsewhere`: another node has it.
 *
 *   idle --camera live--> connecting --media flows--> active <--> stalled
 *    ^                      ^    |                      |            |
 *    |                   pause   '---- failure ----> waiting <-------'
 *    '--------------- camera gone (drained first) ---------------'
 */
export type PushPhase = 'idle' | 'connecting' | 'active' | 'stalled' | 'waiting' | 'disabled' | 'elsewhere';

/** The phase that a push is in, and since when. */
export class PhaseRecord {
  readonly #recorder: FlightRecorder;
  #now: PushPhase;
  #sinceMs = Date.now();

  constructor(first: PushPhase, recorder: FlightRecorder) {
    this.#now = first;
    this.#recorder = recorder;
  }

  get now(): PushPhase {
    return this.#now;
  }

  /** Milliseconds since 1970. */
  get sinceMs(): number {
    return this.#sinceMs;
  }

  /** The target takes media, or did a moment ago. */
  get isFlowing(): boolean {
    return this.#now === 'active' || this.#now === 'stalled';
  }

  /** True when it is another one than before. */
  enter(phase: PushPhase): boolean {
    if (phase === this.#now) return false;
    this.#recorder.note('state', `${this.#now} -> ${phase}`);
    this.#now = phase;
    this.#sinceMs = Date.now();
    return true;
  }
}

/** The phase of a push without a connection. @param where false: it was switched off; `elsewhere`: another node has it */
export function phaseWithout(where: boolean | 'elsewhere'): PushPhase {
  if (where === 'elsewhere') return where;
  return where ? 'idle' : 'disabled';
}
