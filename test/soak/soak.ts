import { setTimeout as sleep } from 'node:timers/promises';
import { Random } from '../fuzz/random.js';
import { Cameras, Target } from './children.js';
import type { FromCameras, StreamReport } from './frames.js';
import type { Subject } from './subject.js';

const cameraCount = 3;
const sickTargets = 3;
const maxPushes = 12;
/** Until the first quiet measure, and before the last: the longest pause of a retry, and a drained connection's end. */
const quietMs = 12_000;

/** What may be more at the end than at the beginning. */
const allowedGrowth: Readonly<Record<string, number>> = {
  'heap bytes': 12 << 20,
  'resident bytes': 96 << 20,
  sockets: 0,
  timers: 2,
  'open files': 2,
  threads: 0,
};

export interface SoakResult {
  readonly rows: (readonly [string, string | number])[];
  readonly failures: string[];
}

/**
 * Several cameras, each with a healthy target that checks every frame, and around them pushes that come and go to targets
 * that are killed, stopped and started again, cameras that are added and removed, and publishers that come back.
 */
export class Soak {
  readonly #subject: Subject;
  readonly #random: Random;
  readonly #healthy = new Target();
  readonly #sick = Array.from({ length: sickTargets }, () => new Target());
  readonly #cameras = new Cameras();
  readonly #pushes = new Map<string, { camera: string; id: string }>();
  readonly #done: Record<string, number> = {};
  readonly #names = Array.from({ length: cameraCount }, (_, i) => `cam-${i}`);
  readonly #work = new Set<Promise<void>>();
  /** What was sent by the cameras that have a healthy target, life by life. */
  readonly #lives: FromCameras[] = [];
  #passing: string | null = null;
  #number = 0;

  constructor(subject: Subject, seed: number) {
    this.#subject = subject;
    this.#random = new Random(seed, 0);
  }

  async run(seconds: number): Promise<SoakResult> {
    await this.#subject.start();
    await Promise.all([this.#healthy, ...this.#sick].map((target) => target.start()));
    for (const name of this.#names) {
      await this.#subject.addCamera(name);
      await this.#subject.addPush(name, 'healthy', this.#healthy.url(name));
      this.#cameras.start(name, this.#subject.url(name));
    }
    await this.#reached();
    // Code is compiled and buffers reach their size by what will be done; then it is quiet for the first measure.
    for (let i = 0; i < 20; i++) await this.#act();
    await this.#calm();
    const before = this.#subject.resources();
    let peak = before;
    for (const untilMs = performance.now() + seconds * 1000; performance.now() < untilMs; ) {
      await this.#act();
      await sleep(this.#random.range(50, 600));
      peak = larger(peak, this.#subject.resources());
    }
    await this.#calm();
    const after = this.#subject.resources();
    const failures: string[] = [];
    const rows: [string, string | number][] = [];
    for (const [name, value] of Object.entries(after)) {
      const first = before[name] ?? 0;
      rows.push([
        `${name}: first, highest, last`,
        [first, peak[name] ?? 0, value].map((each) => shown(name, each)).join(', '),
      ]);
      if (value - first > (allowedGrowth[name] ?? 0))
        failures.push(`${name} grew: ${shown(name, first)} to ${shown(name, value)}`);
    }
    await this.#judge(rows, failures);
    for (const [what, count] of Object.entries(this.#done)) rows.push([what, count]);
    await this.#subject.stop();
    await Promise.all([this.#healthy, ...this.#sick].map((target) => target.kill()));
    await this.#cameras.kill();
    return { rows, failures };
  }

  /** From when a target has a camera's stream, it gets all of it: waits for that. */
  async #reached(): Promise<void> {
    for (const untilMs = performance.now() + quietMs; performance.now() < untilMs; await sleep(50)) {
      const streams = await this.#healthy.report();
      if (this.#names.every((name) => (streams[name]?.frames ?? 0) > 0)) return;
    }
    throw new Error(`the healthy target did not get all cameras within ${quietMs / 1000} s`);
  }

  /** Holds what arrived at the healthy target against what the cameras sent. */
  async #judge(rows: [string, string | number][], failures: string[]): Promise<void> {
    for (const name of this.#names) this.#lives.push(await this.#cameras.stop(name));
    await sleep(2000);
    const streams = await this.#healthy.report();
    let frames = 0;
    for (const { camera, epoch, frames: count } of this.#lives) {
      const last = streams[camera]?.ends[epoch] ?? -1;
      if (last !== count - 1) failures.push(`${camera}: of the ${count} frames of life ${epoch} the last is ${last}`);
    }
    for (const camera of this.#names) {
      const report = streams[camera];
      frames += report?.frames ?? 0;
      for (const key of ['altered', 'missing', 'badStarts', 'backwards'] as const) {
        if ((report?.[key] ?? 0) > 0) failures.push(`${camera} at its healthy target: ${key} ${report?.[key]}`);
      }
      if (report?.connections !== 1)
        failures.push(`${camera}: ${report?.connections} connections to its healthy target`);
    }
    rows.push(['frames at healthy targets, all with their hash', frames]);
    let odd = 0;
    for (const target of this.#sick) {
      for (const report of Object.values(await target.report())) odd += oddities(report);
    }
    rows.push(['frames out of order, altered, or begun without a key frame at sick targets', odd]);
    if (odd > 0) failures.push('a sick target got what no decoder can use');
  }

  /** Takes back all that was added, lets every target go on, and waits until it is quiet. */
  async #calm(): Promise<void> {
    await Promise.all(this.#work);
    if (this.#passing !== null) await this.#toggleCamera();
    for (const { camera, id } of this.#pushes.values()) await this.#subject.removePush(camera, id);
    this.#pushes.clear();
    await sleep(quietMs);
  }

  async #act(): Promise<void> {
    const dice = this.#random.int(12);
    if (dice < 4) await this.#addPush();
    else if (dice < 7) await this.#removePush();
    else if (dice === 7) this.#begin('targets killed', (target) => this.#kill(target));
    else if (dice === 8) this.#begin('targets stopped', (target) => this.#stall(target));
    else if (dice === 9) await this.#toggleCamera();
    else if (dice === 10) await this.#republish();
    else await sleep(200);
  }

  #count(what: string): void {
    this.#done[what] = (this.#done[what] ?? 0) + 1;
  }

  async #addPush(): Promise<void> {
    if (this.#pushes.size >= maxPushes) return;
    const camera = this.#random.pick(this.#names);
    const id = `p-${this.#number++}`;
    await this.#subject.addPush(camera, id, this.#random.pick(this.#sick).url(`${camera}-${id}`));
    this.#pushes.set(id, { camera, id });
    this.#count('pushes added');
  }

  async #removePush(): Promise<void> {
    if (this.#pushes.size === 0) return;
    const { camera, id } = this.#random.pick([...this.#pushes.values()]);
    this.#pushes.delete(id);
    await this.#subject.removePush(camera, id);
    this.#count('pushes removed');
  }

  /** Does something to a sick target, beside everything else. */
  #begin(what: string, work: (target: Target) => Promise<void>): void {
    const target = this.#random.pick(this.#sick);
    if (target.busy) return;
    target.busy = true;
    this.#count(what);
    const running = work(target).finally(() => {
      target.busy = false;
      this.#work.delete(running);
    });
    this.#work.add(running);
  }

  async #kill(target: Target): Promise<void> {
    const awayMs = this.#random.range(0, 5000);
    await target.kill();
    await sleep(awayMs);
    await target.start();
  }

  async #stall(target: Target): Promise<void> {
    target.signal('SIGSTOP');
    await sleep(this.#random.range(500, 15_000));
    target.signal('SIGCONT');
  }

  /** One more camera, live, with a push, comes or goes. */
  async #toggleCamera(): Promise<void> {
    if (this.#passing === null) {
      const name = `passing-${this.#number++}`;
      this.#passing = name;
      await this.#subject.addCamera(name);
      await this.#subject.addPush(name, 'p', this.#sick[0]!.url(name));
      this.#cameras.start(name, this.#subject.url(name));
      this.#count('cameras added');
    } else {
      const name = this.#passing;
      this.#passing = null;
      await this.#subject.removeCamera(name);
      await this.#cameras.stop(name);
    }
  }

  /** A camera leaves, and comes back within its grace: its targets see one stream. */
  async #republish(): Promise<void> {
    const name = this.#random.pick(this.#names);
    this.#lives.push(await this.#cameras.stop(name));
    await sleep(this.#random.range(0, 1500));
    this.#cameras.start(name, this.#subject.url(name));
    this.#count('publishers that left and came back');
    await sleep(1000);
  }
}

function oddities({ altered, badStarts, backwards }: StreamReport): number {
  return altered + badStarts + backwards;
}

function larger(a: Readonly<Record<string, number>>, b: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(b).map(([name, value]) => [name, Math.max(value, a[name] ?? 0)]));
}

function shown(name: string, value: number): string {
  return name.endsWith('bytes') ? `${(value / 2 ** 20).toFixed(1)} MiB` : String(value);
}
