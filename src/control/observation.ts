import type { BackendProblem, MediaBackend } from '../backend/backend.js';
import { EventFeed } from '../events/event-feed.js';
import type { DesiredState } from '../model/model.js';
import type { StateChange, Store } from '../store/store.js';
import { BackendWatch } from './backend-watch.js';
import { History, historyStepSeconds } from './history.js';
import { LiveStats } from './live-stats.js';
import { stateEvents } from './state-events.js';

const lookEveryMs = 1000;

/** Makes one feed of events of what is decided (the store) and of what is seen (the media backend, problems). */
export class Observation {
  readonly feed = new EventFeed();
  readonly stats: LiveStats;
  readonly history: History;
  readonly #store: Store;
  readonly #backend: MediaBackend;
  readonly #problems: () => readonly BackendProblem[];
  readonly #watch: BackendWatch;
  #state: DesiredState;
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
  }) {
    const { store, backend } = options;
    this.#store = store;
    this.#backend = backend;
    this.#problems = options.problems;
    this.#state = store.state;
    const watch = new BackendWatch(this.feed);
    this.#watch = watch;
    this.stats = new LiveStats(backend, watch.live);
    this.history = new History({ backend, live: watch.live, maxBytes: options.historyMaxBytes });
  }

  /** To be called before the cameras are declared to the backend. */
  start(): void {
    this.#state = this.#store.state;
    for (const camera of this.#state.cameras.keys()) this.#watch.register(camera);
    this.#backend.observe(this.#watch);
    this.#timer ??= setInterval(() => this.#look(), lookEveryMs).unref();
    this.#historyTimer ??= setInterval(() => void this.history.look(), historyStepSeconds * 1000).unref();
  }

  close(): void {
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
    for (const event of stateEvents(before, change)) {
      this.feed.publish(event);
      if (event.type === 'push.removed') {
        this.#watch.forgetPush(event.camera ?? '', event.push ?? '');
        this.history.forgetPush(event.camera ?? '', event.push ?? '');
      }
      if (event.type !== 'camera.removed' || event.camera === undefined) continue;
      this.#watch.forget(event.camera);
      this.history.forget(event.camera);
    }
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
