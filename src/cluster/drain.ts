import { CodedError, messageOf } from '../errors.js';
import type { Logger } from '../log/log.js';
import type { CameraClaims } from './claims.js';
import type { ClusterNodes } from './nodes.js';

const stepMs = 200;
/** A camera that was asked to connect anew and is still there after this is closed. */
const patienceMs = 5000;

/** The cameras of this node. */
export interface DrainedCameras {
  live(): Iterable<string>;
  /** False: what feeds it does not know how. */
  askToReconnect(camera: string): boolean;
  letGo(camera: string, reason: CodedError): void;
}

export interface DrainOptions {
  readonly nodes: ClusterNodes;
  /** Undefined, and no cameras: the backend gives none away. Then the node only takes no new ones by the others' advice. */
  readonly claims: CameraClaims | undefined;
  readonly cameras: DrainedCameras | null;
  readonly log: Logger;
}

/**
 * Empties a node: it takes no new cameras, and those that it has are asked to connect anew, one after the other over a time,
 * so that the other nodes do not get all of them at once. Cameras that do not know how are closed.
 */
export class Drain {
  readonly #options: DrainOptions;
  /** By camera: when it was asked, on the monotonic clock. */
  readonly #asked = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;
  #isOn = false;
  #isEmpty = false;
  /** On the monotonic clock: when the last camera is asked. */
  #untilMs = 0;

  constructor(options: DrainOptions) {
    this.#options = options;
    options.claims?.refuseBy(() => (this.#isOn ? this.#refusal : undefined));
  }

  get isOn(): boolean {
    return this.#isOn;
  }

  /** True when this node can give cameras away, and another one takes them; else they are best where they are. */
  get isOfUse(): boolean {
    const { cameras, nodes } = this.#options;
    return (
      cameras !== null &&
      nodes.all.some(({ id, isDraining, isFull }) => id !== nodes.self.id && isDraining !== true && isFull !== true)
    );
  }

  /** Cameras that are live here still. */
  get camerasLeft(): number {
    return [...(this.#options.cameras?.live() ?? [])].length;
  }

  /** @param seconds over which the cameras are asked */
  start(seconds: number): void {
    if (this.#isOn) return;
    this.#isOn = true;
    this.#isEmpty = false;
    this.#untilMs = performance.now() + seconds * 1000;
    const { log } = this.#options;
    log.info('the node is draining: it takes no new cameras, and asks the ones it has to leave', {
      cameras: this.camerasLeft,
      seconds,
    });
    this.#tell();
    this.#timer = setInterval(() => this.#step(), stepMs).unref();
    this.#step();
  }

  /** It takes cameras again. */
  end(): void {
    if (!this.#isOn) return;
    this.close();
    this.#isOn = false;
    this.#asked.clear();
    this.#options.log.info('the node is no longer draining: it takes cameras again');
    this.#tell();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  get #refusal(): CodedError {
    const { id } = this.#options.nodes.self;
    return new CodedError(
      'NODE_DRAINING',
      `node ${id} is draining: publish to another node; registerCamera says which`,
    );
  }

  #tell(): void {
    const { nodes, log } = this.#options;
    nodes
      .tell({ isDraining: this.#isOn })
      .catch((error: unknown) => log.warn('the other nodes cannot be told of the drain', { error: messageOf(error) }));
  }

  #step(): void {
    const { cameras, log } = this.#options;
    if (cameras === null) return;
    const nowMs = performance.now();
    const left = [...cameras.live()];
    if (left.length === 0) {
      if (!this.#isEmpty) log.info('the node is empty', { cameras: this.#asked.size });
      this.#isEmpty = true;
      return;
    }
    const waiting = left.filter((camera) => !this.#asked.has(camera));
    const stepsLeft = Math.max(1, Math.ceil((this.#untilMs - nowMs) / stepMs));
    for (const camera of waiting.slice(0, Math.ceil(waiting.length / stepsLeft))) {
      this.#asked.set(camera, nowMs);
      if (!cameras.askToReconnect(camera)) cameras.letGo(camera, this.#refusal);
    }
    for (const camera of left) {
      const askedMs = this.#asked.get(camera);
      if (askedMs !== undefined && nowMs - askedMs > patienceMs) cameras.letGo(camera, this.#refusal);
    }
  }
}
