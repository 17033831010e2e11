import { FlightRecorder, type RecordedEvent } from '../../events/flight-recorder.js';
import type { Logger } from '../../log/log.js';
import type { Observer } from './observer.js';

const eventsPerCamera = 50;

/** What was seen of cameras and pushes over time: events, and since when a push is in its state. */
export class History {
  readonly #log: Logger;
  readonly #recorders = new Map<string, FlightRecorder>();
  readonly #live = new Set<string>();
  /** By camera and push. */
  readonly #states = new Map<string, Map<string, { state: string; since: string }>>();

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Oldest first. */
  events(camera: string): readonly RecordedEvent[] {
    return this.#recorders.get(camera)?.events() ?? [];
  }

  /** Since when a push is seen in this state; ISO 8601, UTC. */
  since(camera: string, push: string, state: string): string {
    let states = this.#states.get(camera);
    if (states === undefined) {
      states = new Map();
      this.#states.set(camera, states);
    }
    const seen = states.get(push);
    if (seen?.state === state) return seen.since;
    const since = new Date().toISOString();
    states.set(push, { state, since });
    return since;
  }

  /** Notes whether the camera is live, when that is new. */
  look(camera: string, observer: Observer): void {
    const live = observer.current(camera)?.camera ?? observer.old(camera)?.camera;
    if ((live !== undefined) === this.#live.has(camera)) return;
    let recorder = this.#recorders.get(camera);
    if (recorder === undefined) {
      recorder = new FlightRecorder({ capacity: eventsPerCamera, log: this.#log.child({ camera }) });
      this.#recorders.set(camera, recorder);
    }
    if (live === undefined) this.#live.delete(camera);
    else this.#live.add(camera);
    recorder.note('state', live === undefined ? 'not live' : `live from ${live.publisher.host}`);
    this.#log.info(live === undefined ? 'camera is no longer live' : 'camera is live', { camera });
  }

  forget(camera: string): void {
    this.#recorders.delete(camera);
    this.#live.delete(camera);
    this.#states.delete(camera);
  }
}
