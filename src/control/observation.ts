import type { BackendProblem, MediaBackend } from '../backend/backend.js';
import type { NewEvent } from '../events/event.js';
import { EventFeed } from '../events/event-feed.js';
import { Stretch } from '../fairness/stretch.js';
import type { HealthLimits } from '../health/evidence.js';
import type { Logger } from '../log/log.js';
import type { DesiredState } from '../model/model.js';
import type { StateChange, Store } from '../store/store.js';
import { BackendWatch } from './backend-watch.js';
import { HealthWatch } from './health-watch.js';
import { History, historyStepSeconds } from './history.js';
import { LastLives } from './last-live.js';
import { LiveStats } from './live-stats.js';
import type { RefusedPublishers } from './refused-publishers.js';
import { stateEvents } from './state-events.js';

const lookEveryMs = 1000;

/** The maximum number of changes that become events at once; more become events in stretches. */
const atOnce = 50;

/** Makes one feed of events from what is decided (the store) and what is observed (the media backend, problems). */
export class Observation {
  readonly feed = new EventFeed();
  readonly stats: LiveStats;
  readonly history: History;
  readonly health: HealthWatch;
  /** When cameras were last live. */
  readonly lastLives = new LastLives();
  /** Who was refused as a publisher. */
  readonly refused: RefusedPublishers;
  readonly #store: Store;
  readonly #backend: MediaBackend;
  readonly #problems: () => readonly BackendProblem[];
  readonly #watch: BackendWatch;
  #state: DesiredState;
  /** What is not told yet of changes, in their order. */
  readonly #untold: Generator<NewEvent>[] = [];
  #telling = false;
  /** By what they are: code and message. */
  #raised = new Map<string, BackendProblem>();
  #timer: NodeJS.Timeout | null = null;
  #historyTimer: NodeJS.Timeout | null = null;

  constructor(options: {
    store: Store;
    backend: MediaBackend;
    problems: () => readonly BackendProblem[];
    /** What the history of live cameras may take; see History. */
    historyMaxBytes: number;
    /** When a camera is in trouble. */
    limits: HealthLimits;
    log: Logger;
  }) {
    const { store, backend } = options;
    this.#store = store;
    this.#backend = backend;
    this.#problems = options.problems;
    this.#state = store.state;
    const watch = new BackendWatch(this.feed);
    this.#watch = watch;
    this.stats = new LiveStats(backend, watch.live);
    this.health = new HealthWatch({
      ...{ backend, live: watch.live, limits: options.limits, log: options.log },
      onFrame: (camera, atMs) => this.lastLives.noteFrame(camera, atMs),
      listener: (camera, condition, isRaised) => watch.cameraCondition(camera, condition, isRaised),
    });
    watch.addFollower(this.health);
    watch.addFollower(this.lastLives);
    this.refused = watch.refused;
    this.history = new History({ backend, live: watch.live, maxBytes: options.historyMaxBytes });
  }

  /** To be called before the cameras are declared to the backend. */
  start(): void {
    this.#state = this.#store.state;
    for (const camera of this.#state.cameras.keys()) this.#watch.register(camera);
    this.#backend.observe(this.#watch);
    this.health.start();
    this.#timer ??= setInterval(() => this.#look(), lookEveryMs).unref();
    this.#historyTimer ??= setInterval(() => void this.history.look(), historyStepSeconds * 1000).unref();
  }

  close(): void {
    this.health.close();
    if (this.#timer !== null) clearInterval(this.#timer);
    if (this.#historyTimer !== null) clearInterval(this.#historyTimer);
    this.#timer = null;
    this.#historyTimer = null;
  }

  /** To be called with every change of the state, before the backend is told of it. */
  noteChange(change: StateChange): void {
    const before = this.#state;
    this.#state = change.state;
    for (const name of change.cameras) if (change.state.cameras.has(name)) this.#watch.register(name);
    this.#untold.push(stateEvents(before, change));
    if (this.#telling) return;
    if (change.cameras.size + change.engines.size > atOnce) void this.#tellInStretches();
    else for (const event of this.#untoldEvents()) this.#tell(event);
  }

  /** What is told of many changes takes its time: an edit of ten thousand cameras must not hold up a frame. */
  async #tellInStretches(): Promise<void> {
    this.#telling = true;
    const stretch = new Stretch();
    for (const event of this.#untoldEvents()) {
      this.#tell(event);
      if (stretch.isOver) await stretch.rest();
    }
    this.#telling = false;
  }

  *#untoldEvents(): Generator<NewEvent, void> {
    for (let events = this.#untold.shift(); events !== undefined; events = this.#untold.shift()) yield* events;
  }

  #tell(event: NewEvent): void {
    this.feed.publish(event);
    const { type, camera: name, push: id } = event;
    if (name === undefined) return;
    // What came back before this was told is known again, and is not forgotten.
    const camera = this.#state.cameras.get(name);
    if (type === 'push.removed' && id !== undefined && !Object.hasOwn(camera?.pushes ?? {}, id)) {
      this.#watch.forgetPush(name, id);
      this.history.forgetPush(name, id);
    }
    if (type !== 'camera.removed' || camera !== undefined) return;
    this.#watch.forget(name);
    this.health.forget(name);
    this.lastLives.forget(name);
    this.history.forget(name);
  }

  #look(): void {
    const raised = new Map(this.#problems().map((problem) => [`${problem.code} ${problem.message}`, problem]));
    for (const [key, { code, message, since }] of raised) {
      if (!this.#raised.has(key)) this.feed.publish({ type: 'problem.raised', code, facts: { message, since } });
    }
    for (const [key, { code, message }] of this.#raised) {
      if (!raised.has(key)) this.feed.publish({ type: 'problem.cleared', code, facts: { message } });
    }
    this.#raised = raised;
  }
}
