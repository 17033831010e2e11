import { randomBytes } from 'node:crypto';
import { StreamKeys } from '../admission/stream-keys.js';
import type { BackendProblem, MediaBackend } from '../backend/backend.js';
import { ConflictError } from '../errors.js';
import type { EventFeed } from '../events/event-feed.js';
import type { Logger } from '../log/log.js';
import { isName } from '../model/rules.js';
import type { Store } from '../store/store.js';
import { BatchControl } from './batch-control.js';
import { CameraControl } from './camera-control.js';
import type { ClusterFacts } from './cluster-facts.js';
import { ControlContext } from './context.js';
import { DeviceSources } from './device-sources.js';
import { EngineControl } from './engine-control.js';
import { EngineHealth } from './engine-health.js';
import { EntityTags } from './entity-tags.js';
import { healthLimits } from './health-watch.js';
import { LastLiveFile } from './last-live-file.js';
import type { LiveStats } from './live-stats.js';
import { type Neighbours, Places } from './neighbours.js';
import { type NodeLink, nodeLinks } from './node-links.js';
import { NodeStatus } from './node-status.js';
import { Observation } from './observation.js';
import { Placing } from './placing.js';
import { PushControl } from './push-control.js';
import { Reconciler } from './reconcile.js';
import { Redirector } from './redirector.js';
import type { RefusedPublisher, RefusedPublishers } from './refused-publishers.js';
import type { ControlSettings } from './settings.js';
import { Viewing } from './viewing.js';

/** What the history of live cameras takes at most when nobody says it. */
const defaultHistoryBytes = 64 * 1024 * 1024;

/**
 * The operations of the product, by the things that they act on. Every change is committed to the store first; then the
 * media backend follows the store. Answers show the desired and the observed state together.
 */
export class Control {
  readonly cameras: CameraControl;
  readonly pushes: PushControl;
  readonly engines: EngineControl;
  /** Cameras that were found in the network. */
  readonly devices: DeviceSources;
  /** Many changes at once. */
  readonly batch: BatchControl;
  readonly redirector: Redirector;
  readonly viewing: Viewing;
  readonly node: NodeStatus;
  /** What happened on this node, as it happens. */
  readonly feed: EventFeed;
  /** The figures of live cameras, for those who look at them. */
  readonly stats: LiveStats;
  /** Who was refused as a publisher. */
  readonly refused: RefusedPublishers;
  /** The entity tags of what is answered. */
  readonly tags: EntityTags;
  /** Which nodes there are, and where callers are. */
  readonly places: Places;
  readonly #store: Store;
  readonly #reconciler: Reconciler;
  readonly #observation: Observation;
  readonly #lastLiveFile: LastLiveFile | null;
  readonly #backend: MediaBackend;
  #placing: Placing | undefined;
  #unsubscribe: (() => void) | undefined;

  /**
   * @param options.tagKey for entity tags that outlive this process
   * @param options.streamKeys for publish keys and play tokens that do; without it, both last as long as the process
   */
  constructor(options: {
    store: Store;
    backend: MediaBackend;
    settings: ControlSettings;
    log: Logger;
    tagKey?: Buffer;
    streamKeys?: StreamKeys;
    /** Where the times at which cameras were last live are kept; undefined: nowhere. */
    lastLiveFile?: string;
  }) {
    const { store, backend, settings, log } = options;
    const streamKeys = options.streamKeys ?? new StreamKeys(randomBytes(32));
    const needsKeys = settings.media?.publishAuth === 'key';
    const reconciler = new Reconciler(backend, log, needsKeys ? streamKeys : undefined);
    const health = new EngineHealth(backend, reconciler);
    const node = new NodeStatus(store, backend, reconciler, settings, log);
    const observation = new Observation({
      store,
      backend,
      problems: () => node.problems,
      historyMaxBytes: settings.historyMaxBytes ?? defaultHistoryBytes,
      limits: healthLimits(settings),
      log,
    });
    this.#store = store;
    this.#backend = backend;
    this.#reconciler = reconciler;
    this.#observation = observation;
    this.feed = observation.feed;
    this.stats = observation.stats;
    this.tags = new EntityTags(options.tagKey);
    this.node = node;
    const { health: judged, lastLives } = observation;
    this.places = new Places(settings);
    const { places } = this;
    const seen = { places, store, backend, settings, log, tags: this.tags, reconciler, health: judged, lastLives };
    this.refused = observation.refused;
    const { lastLiveFile } = options;
    this.#lastLiveFile = lastLiveFile === undefined ? null : new LastLiveFile(lastLiveFile, lastLives, log);
    const context = new ControlContext(seen);
    this.cameras = new CameraControl(context, streamKeys);
    this.pushes = new PushControl(context);
    this.engines = new EngineControl(context);
    this.devices = new DeviceSources(context, this.cameras, this.feed);
    this.batch = new BatchControl(context, this.cameras);
    this.viewing = new Viewing(context, observation.history);
    this.redirector = new Redirector({
      pushes: this.pushes,
      places,
      facts: { loadOf: (name) => reconciler.loadOf(name), isHealthy: (name) => health.isHealthy(name) },
    });
  }

  /**
   * Declares all cameras to the backend and follows the store from now on. The backend is opened by its owner, who
   * calls this at once, before the event loop turns, so that no camera that comes at once is refused.
   */
  async start(): Promise<void> {
    this.#observation.start();
    this.#reconciler.applyAll(this.#store.state);
    this.#unsubscribe ??= this.#store.subscribe((change) => {
      this.#observation.noteChange(change);
      this.#reconciler.apply(change);
    });
  }

  /**
   * Learns from the file of an earlier run when cameras were last live, and keeps it from now on. Never rejects, and waits
   * for a slow disk only a moment.
   */
  async rememberLives(): Promise<void> {
    await this.#lastLiveFile?.open((name) => this.#store.state.cameras.has(name));
  }

  /** The file of last live times cannot be used. */
  get lastLiveProblems(): readonly BackendProblem[] {
    return this.#lastLiveFile?.problems ?? [];
  }

  /** Writes down when cameras were last live. Never rejects; waits for a slow disk only a moment. */
  async keepLives(): Promise<void> {
    await this.#lastLiveFile?.close();
  }

  /** Who was refused as a publisher, newest first. */
  refusedPublishers(): (RefusedPublisher & { readonly registerable: boolean })[] {
    return this.refused.list().map((each) => {
      const isFree = each.code === 'PUBLISH_NOT_REGISTERED' && !this.#store.state.cameras.has(each.name);
      return { ...each, registerable: isFree && isName(each.name) };
    });
  }

  /** Resolves when what was declared until now is in force or has failed; soon at the latest. */
  inForce(): Promise<void> {
    return this.#reconciler.allInForce();
  }

  /** This node belongs to a cluster from now on. */
  join(neighbours: Neighbours): void {
    this.places.join(neighbours);
    this.feed.node = neighbours.selfId;
  }

  /**
   * Has streams go from node to node, and pushes run where they are placed.
   * @param facts what is known of the cluster @param returnMs how long a node has to be well until streams go through it again
   */
  placeIn(facts: ClusterFacts, returnMs: number, log: Logger): void {
    const { relaying } = this.#backend;
    if (relaying === null) return;
    this.#placing = new Placing({
      ...{ facts, relaying, returnMs, log },
      state: () => this.#store.state,
      redeclare: (camera) => this.#reconciler.redeclare(camera),
    });
    this.#reconciler.placeWith(this.#placing);
  }

  /**
   * Writes the state file anew, sealed with the present key. @returns which key that is; tells nothing of it
   * @throws ConflictError NO_SEAL_KEY; StateError STATE_WRITE_FAILED
   */
  async sealState(): Promise<string> {
    const keyId = await this.#store.rewrite?.();
    if (keyId !== undefined && keyId !== '') return keyId;
    const message =
      'this aggregator was started without --seal-key, or keeps its state elsewhere (cluster rotate-secret seals that)';
    throw new ConflictError('NO_SEAL_KEY', message);
  }

  /** The streams that go from this node to others; none of a node that is alone. */
  async links(): Promise<NodeLink[]> {
    return this.#placing === undefined ? [] : nodeLinks(this.#placing.outgoing, this.#backend);
  }

  /** Stops following the store; to be called before the backend is stopped. */
  close(): void {
    this.#observation.close();
    this.node.close();
    this.#placing?.close();
    this.#unsubscribe?.();
    this.#unsubscribe = undefined;
    this.#reconciler.close();
  }
}
