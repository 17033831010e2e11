import type { DesiredCamera } from '../backend.js';
import { Declarations } from './declarations.js';
import { Placement } from './placement.js';
import type { Report } from './protocol.js';
import type { WorkerProcess } from './worker-process.js';

/** The desired cameras, which worker is the home of each, and what the workers have been told about them. */
export class Homes {
  readonly #workers: readonly WorkerProcess[];
  readonly #desired = new Map<string, DesiredCamera>();
  readonly #placement: Placement;
  readonly #declarations = new Declarations();
  /** Number of the last order that was sent to a worker. */
  #sequence = 0;

  constructor(workers: readonly WorkerProcess[]) {
    this.#workers = workers;
    this.#placement = new Placement(workers.length);
  }

  /** Whether a camera is registered under this name. */
  has(camera: string): boolean {
    return this.#desired.has(camera);
  }

  /** Declares a camera. @returns resolves when its worker has done it; rejects when the worker failed */
  set(desired: DesiredCamera): Promise<void> {
    this.#desired.set(desired.name, desired);
    this.#placement.reweigh(desired);
    // What is pulled comes by itself, so that it needs a home at once.
    const worker = isPulled(desired) ? this.choose(desired.name) : this.find(desired.name);
    // Without a home, no worker needs to know the camera.
    return worker === undefined ? Promise.resolve() : this.#declare(worker, desired);
  }

  /** Removes a camera; unknown names are ignored. @returns as `set` */
  remove(camera: string): void | Promise<void> {
    if (!this.#desired.delete(camera)) return;
    const worker = this.find(camera);
    if (worker === undefined) return;
    this.#placement.remove(camera);
    if (!worker.isUp) return this.#declarations.drop(camera);
    const sequence = ++this.#sequence;
    worker.send({ type: 'remove', sequence, name: camera });
    return this.#declarations.expect(camera, sequence);
  }

  /** The worker of a camera; undefined: the camera has no home yet, or is not registered. */
  find(camera: string): WorkerProcess | undefined {
    const index = this.#placement.homeOf(camera);
    return index === undefined ? undefined : this.#workers[index];
  }

  /** The worker of a registered camera, chosen now if it has none; undefined: no such camera is registered. */
  choose(camera: string): WorkerProcess | undefined {
    const desired = this.#desired.get(camera);
    if (desired === undefined) return undefined;
    const known = this.find(camera);
    if (known !== undefined) return known;
    const worker = this.#workers[this.#placement.place(desired)]!;
    void this.#declare(worker, desired);
    return worker;
  }

  /** Resolves when the worker of this camera knows of it; rejects when the worker failed. */
  declared(camera: string): Promise<void> {
    return this.#declarations.done(camera);
  }

  camerasOf(worker: WorkerProcess): Iterable<string> {
    return this.#placement.camerasOf(worker.number - 1);
  }

  /** Number of cameras whose home is this worker. */
  countOf(worker: WorkerProcess): number {
    return this.#placement.countOf(worker.number - 1);
  }

  onApplied({ name, sequence, failure }: Extract<Report, { readonly type: 'applied' }>): void {
    this.#declarations.note(name, sequence, failure);
  }

  /** A worker was started, and knows nothing yet. */
  onUp(worker: WorkerProcess): void {
    for (const camera of this.camerasOf(worker)) void this.#declare(worker, this.#desired.get(camera)!);
  }

  onDown(worker: WorkerProcess): void {
    this.#declarations.lost(this.camerasOf(worker));
  }

  /** Nobody waits for a worker any more. */
  close(): void {
    this.#declarations.close();
  }

  #declare(worker: WorkerProcess, camera: DesiredCamera): Promise<void> {
    if (!worker.isUp) return this.#declarations.expect(camera.name, 0);
    const sequence = ++this.#sequence;
    worker.send({ type: 'set', sequence, camera });
    return this.#declarations.expect(camera.name, sequence);
  }
}

function isPulled({ source, ingests = [] }: DesiredCamera): boolean {
  return source !== undefined || ingests.some((ingest) => ingest.source !== undefined);
}
