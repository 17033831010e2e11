import type { BackendTotals, CameraSnapshot, MediaBackend, PushSnapshot } from '../backend/backend.js';
import { Stretch } from '../fairness/stretch.js';

/** How often figures are sent to subscribers. */
const everyMs = 2000;

const cameraFacts = [
  'liveSince',
  'bitrateInBps',
  'frameRate',
  'videoCodec',
  'audioCodec',
  'width',
  'height',
  'keyFrameIntervalMs',
  'jitterMs',
  'timestampJumps',
  'viewers',
] as const satisfies readonly (keyof CameraSnapshot)[];

const pushFacts = [
  'state',
  'bitrateBps',
  'queueBytes',
  'queueAgeMs',
  'droppedFrames',
  'roundTripMs',
  'attempt',
  'nextRetryAt',
  'downSince',
] as const satisfies readonly (keyof PushSnapshot)[];

type Fact = string | number | null;
type Facts = Record<string, Fact>;

/** Figures of a live camera: only those that changed. A push that is null is gone. */
export type CameraFigures = Facts & { pushes?: Record<string, Facts | null> };

/** Figures of all live cameras: only what changed. A camera that is null is not live any more. */
export interface Figures {
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly totals: BackendTotals;
  readonly cameras: Readonly<Record<string, CameraFigures | null>>;
}

/** @param json gives the changes as JSON */
export type StatsListener = (changes: Figures, json: () => string) => void;

interface KnownCamera {
  readonly facts: Facts;
  readonly pushes: Map<string, Facts>;
}

/** The figures of live cameras for subscribers: collected once for all of them, and only while there is one. */
export class LiveStats {
  readonly #backend: Pick<MediaBackend, 'camera' | 'totals'>;
  readonly #live: ReadonlySet<string>;
  readonly #listeners = new Set<StatsListener>();
  readonly #known = new Map<string, KnownCamera>();
  #timer: NodeJS.Timeout | null = null;
  #looking = false;
  /** Grows when a first subscriber comes, who is told all: a look that began before knows what he does not. */
  #beginnings = 0;

  constructor(backend: Pick<MediaBackend, 'camera' | 'totals'>, live: ReadonlySet<string>) {
    this.#backend = backend;
    this.#live = live;
  }

  /** Calls with what changed, every two seconds. Returns the way to end it. */
  subscribe(listener: StatsListener): () => void {
    this.#listeners.add(listener);
    if (this.#timer === null) {
      this.#known.clear();
      this.#beginnings++;
      this.#timer = setInterval(() => void this.#look(), everyMs).unref();
      void this.#look();
    }
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size > 0 || this.#timer === null) return;
      clearInterval(this.#timer);
      this.#timer = null;
    };
  }

  /** The names of the cameras that figures were told of. */
  get names(): Iterable<string> {
    return this.#known.keys();
  }

  /** All figures of some cameras as they were last sent: a new subscriber needs them before changes. */
  figuresOf(names: Iterable<string>): Figures {
    const cameras = noNames<CameraFigures | null>();
    for (const name of names) {
      const known = this.#known.get(name);
      if (known === undefined) {
        cameras[name] = null;
        continue;
      }
      const copy = noNames<Facts>();
      for (const [id, push] of known.pushes) copy[id] = { ...push };
      cameras[name] = Object.assign({ ...known.facts }, { pushes: copy }) as CameraFigures;
    }
    return { at: new Date().toISOString(), totals: this.#backend.totals(), cameras };
  }

  async #look(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    const beginning = this.#beginnings;
    try {
      const cameras = noNames<CameraFigures | null>();
      // Encoded camera by camera, on the way: all at once it would be too much for one go.
      const texts: string[] = [];
      const stretch = new Stretch();
      for (const name of [...this.#live]) {
        const changes = this.#changesOf(name);
        if (changes !== undefined) {
          cameras[name] = changes;
          texts.push(`${JSON.stringify(name)}:${JSON.stringify(changes)}`);
        }
        if (stretch.isOver) await stretch.rest();
        if (beginning !== this.#beginnings) return;
      }
      for (const name of this.#known.keys()) {
        if (this.#live.has(name)) continue;
        this.#known.delete(name);
        cameras[name] = null;
        texts.push(`${JSON.stringify(name)}:null`);
      }
      const figures = { at: new Date().toISOString(), totals: this.#backend.totals(), cameras };
      const head = JSON.stringify({ at: figures.at, totals: figures.totals });
      const json = (): string => `${head.slice(0, -1)},"cameras":{${texts.join(',')}}}`;
      for (const listener of this.#listeners) listener(figures, json);
    } finally {
      this.#looking = false;
      if (beginning !== this.#beginnings) void this.#look();
    }
  }

  #changesOf(name: string): CameraFigures | undefined {
    const seen = this.#backend.camera(name);
    if (seen === undefined) return undefined;
    let known = this.#known.get(name);
    if (known === undefined) {
      known = { facts: {}, pushes: new Map() };
      this.#known.set(name, known);
    }
    const changes = takeChanges(known.facts, seen, cameraFacts);
    const pushes = noNames<Facts | null>();
    for (const push of seen.pushes) {
      let facts = known.pushes.get(push.id);
      if (facts === undefined) {
        facts = {};
        known.pushes.set(push.id, facts);
      }
      const changed = takeChanges(facts, push, pushFacts);
      if (changed !== undefined) pushes[push.id] = changed;
    }
    if (known.pushes.size > seen.pushes.length) {
      const ids = new Set(seen.pushes.map((push) => push.id));
      for (const id of known.pushes.keys()) {
        if (ids.has(id)) continue;
        known.pushes.delete(id);
        pushes[id] = null;
      }
    }
    const anyPush = Object.keys(pushes).length > 0;
    if (changes === undefined && !anyPush) return undefined;
    return Object.assign(changes ?? {}, anyPush ? { pushes } : {}) as CameraFigures;
  }
}

/** The facts that are not as they were; `known` holds them afterwards. */
function takeChanges<K extends string>(
  known: Facts,
  seen: Readonly<Record<K, Fact>>,
  names: readonly K[],
): Facts | undefined {
  let changes: Facts | undefined;
  for (const name of names) {
    const value = seen[name];
    if (known[name] === value) continue;
    known[name] = value;
    changes ??= {};
    changes[name] = value;
  }
  return changes;
}

/** An object whose keys are names that others chose: without a prototype. */
function noNames<T>(): Record<string, T> {
  return Object.create(null) as Record<string, T>;
}
