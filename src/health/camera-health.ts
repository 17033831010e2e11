import type { ErrorCode } from '../errors.js';
import type { CameraEvidence, HealthLimits } from './evidence.js';
import { CameraMemory } from './memory.js';
import { type Look, type Rule, refusalMs, rules } from './rules.js';

/** Something that is wrong with a camera. */
export interface CameraCondition {
  readonly code: ErrorCode;
  readonly message: string;
  /** ISO 8601, UTC. */
  readonly since: string;
  /** Two or three words, for a mark. */
  readonly label: string;
  /** What to do about it. */
  readonly advice: string;
  /** Worth to know, and no trouble; without it, the camera is in trouble. */
  readonly level?: 'notice';
}

/** Where one rule stands. Times are those of the looks; 0: not. */
interface Standing {
  badSinceMs: number;
  wellSinceMs: number;
  condition: CameraCondition | null;
}

/** Tells of a condition that begins (true) or ends. */
export type ConditionListener = (condition: CameraCondition, isRaised: boolean) => void;

/**
 * The conditions of one camera. Each rises when its rule has found it for a while, and ends when it has been well for a
 * while, so that they do not flap; what a source is blamed for ends with the source.
 */
export class CameraHealth {
  readonly memory = new CameraMemory();
  readonly #onChange: ConditionListener;
  /** By the index of the rule; undefined: it never found anything, as most. */
  readonly #standings: (Standing | undefined)[] = [];
  /** Made anew at each change, never changed. */
  #list: readonly CameraCondition[] = [];
  #isChanged = false;

  constructor(onChange: ConditionListener) {
    this.#onChange = onChange;
  }

  /** What is wrong now, the gravest first. */
  get list(): readonly CameraCondition[] {
    return this.#list;
  }

  /** True while there is nothing that a further look could change. */
  get isAtRest(): boolean {
    const { publishes, refusals, ended } = this.memory;
    return this.#list.length === 0 && publishes.length === 0 && refusals.length === 0 && ended === null;
  }

  /**
   * Judges anew; call about once a second.
   * @param seen null: it is not live
   * @param nowMs a monotonic clock
   */
  look(seen: CameraEvidence | null, limits: HealthLimits, nowMs: number): void {
    const { memory } = this;
    memory.forgetBefore(nowMs - limits.flapWindowMs, nowMs - refusalMs);
    if (seen !== null) memory.take(seen, limits, nowMs);
    const look: Look = { seen, memory, limits, nowMs };
    for (let i = 0; i < rules.length; i++) {
      const rule = rules[i]!;
      const standing = this.#standings[i];
      if (seen !== null || rule.outlivesSource === true) this.#judge(rule, i, look);
      else if (standing !== undefined) this.#reset(standing);
    }
    if (!this.#isChanged) return;
    this.#isChanged = false;
    const conditions = Array.from(this.#standings, (standing) => standing?.condition ?? null);
    this.#list = conditions.filter((each) => each !== null);
  }

  #judge(rule: Rule, index: number, look: Look): void {
    const verdict = rule.judge(look);
    const { nowMs } = look;
    let standing = this.#standings[index];
    if (standing === undefined) {
      if (typeof verdict === 'string') return;
      standing = { badSinceMs: 0, wellSinceMs: 0, condition: null };
      this.#standings[index] = standing;
    }
    if (verdict === 'open') {
      standing.badSinceMs = standing.wellSinceMs = 0;
      return;
    }
    if (verdict === 'well') {
      standing.badSinceMs = 0;
      if (standing.condition === null) return;
      if (standing.wellSinceMs === 0) standing.wellSinceMs = nowMs;
      if (nowMs - standing.wellSinceMs >= rule.clearMs) this.#reset(standing);
      return;
    }
    standing.wellSinceMs = 0;
    if (standing.condition !== null) return;
    const { message, forMs = 0 } = verdict;
    if (standing.badSinceMs === 0) standing.badSinceMs = nowMs - forMs;
    if (nowMs - standing.badSinceMs < rule.raiseMs) return;
    if (rule.code === 'CAMERA_FEW_FRAMES') look.memory.forgetDip();
    const since = new Date(Date.now() - (nowMs - standing.badSinceMs)).toISOString();
    const { code, label, advice, level } = rule;
    standing.condition = { code, message, since, label, advice, ...(level && { level }) };
    this.#isChanged = true;
    this.#onChange(standing.condition, true);
  }

  #reset(standing: Standing): void {
    standing.badSinceMs = standing.wellSinceMs = 0;
    const { condition } = standing;
    if (condition === null) return;
    standing.condition = null;
    this.#isChanged = true;
    this.#onChange(condition, false);
  }
}
