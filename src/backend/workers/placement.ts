import type { DesiredCamera } from '../backend.js';

interface Home {
  readonly worker: number;
  weight: number;
}

/**
 * Which worker is the home of which camera. A camera gets one when somebody first wants to publish or play it, the one
 * with the least to do then, and keeps it: until then it costs no worker anything. What a camera is taken to cost is what
 * it would send: itself, and each of its enabled pushes.
 */
export class Placement {
  readonly #homes = new Map<string, Home>();
  readonly #weights: number[];
  readonly #counts: number[];

  /** @param workers how many there are */
  constructor(workers: number) {
    this.#weights = new Array<number>(workers).fill(0);
    this.#counts = new Array<number>(workers).fill(0);
  }

  /** The index of its worker; undefined: it has none yet. */
  homeOf(name: string): number | undefined {
    return this.#homes.get(name)?.worker;
  }

  /** Its worker, given to it now where it has none. */
  place(camera: DesiredCamera): number {
    const known = this.#homes.get(camera.name);
    if (known !== undefined) return known.worker;
    let worker = 0;
    for (let each = 1; each < this.#weights.length; each++) {
      if (this.#weights[each]! < this.#weights[worker]!) worker = each;
    }
    const weight = weightOf(camera);
    this.#homes.set(camera.name, { worker, weight });
    this.#weights[worker]! += weight;
    this.#counts[worker]! += 1;
    return worker;
  }

  /** A camera that has a home is declared anew. */
  reweigh(camera: DesiredCamera): void {
    const home = this.#homes.get(camera.name);
    if (home === undefined) return;
    const weight = weightOf(camera);
    this.#weights[home.worker]! += weight - home.weight;
    home.weight = weight;
  }

  remove(name: string): void {
    const home = this.#homes.get(name);
    if (home === undefined) return;
    this.#homes.delete(name);
    this.#weights[home.worker]! -= home.weight;
    this.#counts[home.worker]! -= 1;
  }

  /** The names of the cameras of a worker. */
  *camerasOf(worker: number): Generator<string> {
    for (const [name, home] of this.#homes) if (home.worker === worker) yield name;
  }

  /** How many cameras a worker has. */
  countOf(worker: number): number {
    return this.#counts[worker] ?? 0;
  }
}

function weightOf({ pushes }: DesiredCamera): number {
  let weight = 1;
  for (const { enabled } of pushes) if (enabled) weight++;
  return weight;
}
