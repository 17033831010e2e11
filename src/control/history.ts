import type { CameraSnapshot, MediaBackend, PushSnapshot } from '../backend/backend.js';
import { Stretch } from '../fairness/stretch.js';
import { steadyMs, wallMsOfSteady } from '../process/wall-clock.js';
import { noFigure, packFigure, unpackFigure } from './packed-figure.js';

/** Seconds between two points. */
export const historyStepSeconds = 5;
/** Points that are kept: an hour of them. */
export const historyPoints = 720;

const cameraFacts = ['bitrateInBps', 'frameRate', 'viewers', 'jitterMs'] as const;
const pushFacts = ['bitrateBps', 'queueBytes', 'queueAgeMs', 'roundTripMs', 'droppedFrames'] as const;

type CameraFact = (typeof cameraFacts)[number];
type PushFact = (typeof pushFacts)[number];
type Points = readonly (number | null)[];

/** What was seen of a camera, in columns of the same length; null where nothing was seen. */
export interface CameraHistory {
  readonly stepSeconds: number;
  /** When the first point was taken: ISO 8601, UTC, to the step. */
  readonly from: string;
  readonly camera: Readonly<Record<CameraFact, Points>>;
  /** By id. Dropped frames are those of each step. */
  readonly pushes: Readonly<Record<string, PushColumns>>;
}

export type PushColumns = Readonly<Record<PushFact, Points>>;

/** The same with its pushes one at a time. */
export type HistorySteps = Omit<CameraHistory, 'pushes'> & { readonly pushes: Iterable<[string, PushColumns]> };

const bytesOfColumn = historyPoints * Uint16Array.BYTES_PER_ELEMENT;
const bytesOfCamera = cameraFacts.length * bytesOfColumn;
const bytesOfPush = pushFacts.length * bytesOfColumn;

/** Steps that a series has room for at first: five minutes. It grows with what is remembered. */
const firstPoints = 60;

/** Columns of figures, one behind the other, each a ring of steps once it has room for an hour. */
class Series<F extends string> {
  readonly #facts: readonly F[];
  #columns: Uint16Array;
  /** Steps that each column has room for. */
  #points = firstPoints;
  /** The step at the beginning of the columns, as long as there is no room for an hour. */
  #firstStep = -1;
  #lastStep = -1;

  constructor(facts: readonly F[]) {
    this.#facts = facts;
    this.#columns = new Uint16Array(facts.length * firstPoints).fill(noFigure);
  }

  write(step: number, figureOf: (fact: F) => number | null): void {
    if (this.#firstStep < 0) this.#firstStep = step;
    this.#makeRoom(step);
    // What lies between is of an hour ago.
    for (let gap = Math.max(this.#lastStep + 1, step - historyPoints + 1); gap < step; gap++) {
      if (this.#lastStep >= 0) this.#write(gap, () => null);
    }
    this.#write(step, figureOf);
    this.#lastStep = step;
  }

  #write(step: number, figureOf: (fact: F) => number | null): void {
    let at = this.#placeOf(step);
    for (const fact of this.#facts) {
      this.#columns[at] = packFigure(figureOf(fact));
      at += this.#points;
    }
  }

  #placeOf(step: number): number {
    return (step - this.#firstStep) % this.#points;
  }

  /** Most cameras of those that come and go never need the room of an hour. */
  #makeRoom(step: number): void {
    const needed = step - this.#firstStep + 1;
    const before = this.#points;
    if (needed <= before || before === historyPoints) return;
    let points = before;
    while (points < needed && points < historyPoints) points = Math.min(historyPoints, 2 * points);
    const columns = new Uint16Array(this.#facts.length * points).fill(noFigure);
    for (let i = 0; i < this.#facts.length; i++)
      columns.set(this.#columns.subarray(i * before, (i + 1) * before), i * points);
    this.#columns = columns;
    this.#points = points;
  }

  /** The steps from `first` to `last`, both included. */
  read(first: number, last: number): Record<F, Points> {
    const columns: Partial<Record<F, Points>> = {};
    for (const [index, fact] of this.#facts.entries()) {
      const points: (number | null)[] = [];
      for (let step = first; step <= last; step++) {
        const isKept = step >= this.#firstStep && step <= this.#lastStep && step > this.#lastStep - historyPoints;
        const packed = isKept ? this.#columns[index * this.#points + this.#placeOf(step)] : undefined;
        points.push(packed === undefined ? null : unpackFigure(packed));
      }
      columns[fact] = points;
    }
    return columns as Record<F, Points>;
  }

  /** True when nothing of it is younger than an hour. */
  isOver(step: number): boolean {
    return step - this.#lastStep >= historyPoints;
  }
}

function* readEach(pushes: Remembered['pushes'], first: number, last: number): Generator<[string, PushColumns], void> {
  for (const [id, { series }] of pushes) yield [id, series.read(first, last)];
}

interface Remembered {
  readonly series: Series<CameraFact>;
  readonly pushes: Map<string, { readonly series: Series<PushFact>; dropped: number }>;
}

/**
 * What was seen of live cameras in the last hour, every five seconds, in memory: for plots, not for accounts (figures
 * are rounded, see `packed-figure.ts`). Only cameras that were live meanwhile are remembered, within a budget; those
 * beyond it are not.
 */
export class History {
  readonly #backend: Pick<MediaBackend, 'camera'>;
  readonly #live: ReadonlySet<string>;
  readonly #maxBytes: number;
  /** In the order in which they were last live. */
  readonly #cameras = new Map<string, Remembered>();
  #bytes = 0;
  #looking = false;

  constructor(options: {
    backend: Pick<MediaBackend, 'camera'>;
    /** The names of the cameras that are live. */
    live: ReadonlySet<string>;
    /** Bytes that all of it may come to take; 0: nothing is remembered. */
    maxBytes: number;
  }) {
    this.#backend = options.backend;
    this.#live = options.live;
    this.#maxBytes = options.maxBytes;
  }

  /** Bytes that it takes when all that is remembered now has been for an hour: so much room is kept. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Call every five seconds. Never rejects; a look that takes longer is not overtaken. */
  async look(nowMs = steadyMs()): Promise<void> {
    if (this.#looking || this.#maxBytes === 0) return;
    this.#looking = true;
    try {
      const step = stepOf(nowMs);
      this.#forgetOld(step);
      const stretch = new Stretch();
      for (const name of [...this.#live]) {
        const seen = this.#backend.camera(name);
        if (seen?.live === true) this.#note(name, seen, step);
        if (stretch.isOver) await stretch.rest();
      }
    } finally {
      this.#looking = false;
    }
  }

  forget(name: string): void {
    const camera = this.#cameras.get(name);
    if (camera === undefined || !this.#cameras.delete(name)) return;
    this.#bytes -= bytesOfCamera + camera.pushes.size * bytesOfPush;
  }

  forgetPush(name: string, id: string): void {
    if (this.#cameras.get(name)?.pushes.delete(id) === true) this.#bytes -= bytesOfPush;
  }

  /** The last so many seconds; undefined when nothing of the camera is remembered. */
  of(name: string, seconds: number, nowMs = steadyMs()): CameraHistory | undefined {
    const steps = this.stepsOf(name, seconds, nowMs);
    if (steps === undefined) return undefined;
    const pushes: Record<string, PushColumns> = Object.create(null);
    for (const [id, columns] of steps.pushes) pushes[id] = columns;
    return { ...steps, pushes };
  }

  /** `of`, push by push: an hour of a hundred pushes is too much for one go. */
  stepsOf(name: string, seconds: number, nowMs = steadyMs()): HistorySteps | undefined {
    const camera = this.#cameras.get(name);
    if (camera === undefined) return undefined;
    const last = stepOf(nowMs);
    const first = last - Math.min(historyPoints, Math.max(1, Math.ceil(seconds / historyStepSeconds))) + 1;
    const pushes = readEach(camera.pushes, first, last);
    // Steps are counted by a clock that never jumps, and shown as the clock is set now.
    const stepMs = historyStepSeconds * 1000;
    const from = new Date(Math.round(wallMsOfSteady(first * stepMs) / stepMs) * stepMs).toISOString();
    return { stepSeconds: historyStepSeconds, from, camera: camera.series.read(first, last), pushes };
  }

  #note(name: string, seen: CameraSnapshot, step: number): void {
    let camera = this.#cameras.get(name);
    if (camera === undefined) {
      if (!this.#makeRoom(bytesOfCamera)) return;
      camera = { series: new Series(cameraFacts), pushes: new Map() };
    }
    this.#cameras.delete(name);
    this.#cameras.set(name, camera);
    camera.series.write(step, (fact) => seen[fact]);
    for (const push of seen.pushes) this.#notePush(camera, push, step);
  }

  #notePush(camera: Remembered, push: PushSnapshot, step: number): void {
    let known = camera.pushes.get(push.id);
    if (known === undefined) {
      if (!this.#makeRoom(bytesOfPush)) return;
      known = { series: new Series(pushFacts), dropped: push.droppedFrames ?? 0 };
      camera.pushes.set(push.id, known);
    }
    const dropped = push.droppedFrames ?? 0;
    // A backend that began anew counts from zero.
    const more = dropped >= known.dropped ? dropped - known.dropped : dropped;
    known.dropped = dropped;
    known.series.write(step, (fact) => (fact === 'droppedFrames' ? more : push[fact]));
  }

  /** Takes the room, at the cost of cameras that are not live any more. False when there is none. */
  #makeRoom(bytes: number): boolean {
    if (this.#bytes + bytes > this.#maxBytes) {
      for (const name of this.#cameras.keys()) {
        if (this.#live.has(name)) continue;
        this.forget(name);
        if (this.#bytes + bytes <= this.#maxBytes) break;
      }
    }
    if (this.#bytes + bytes > this.#maxBytes) return false;
    this.#bytes += bytes;
    return true;
  }

  #forgetOld(step: number): void {
    for (const [name, { series }] of this.#cameras) {
      if (!series.isOver(step)) return; // those that follow were live later
      this.forget(name);
    }
  }
}

function stepOf(nowMs: number): number {
  return Math.floor(nowMs / 1000 / historyStepSeconds);
}
