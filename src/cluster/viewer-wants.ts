import { messageOf } from '../errors.js';
import type { EtcdClient } from '../etcd/client.js';
import type { Logger } from '../log/log.js';
import { nodeIdPattern } from './live-cameras.js';
import { Mirror } from './mirror.js';
import type { ClusterNodes } from './nodes.js';

const callMs = 2000;
/** What could not be written is tried again so often. */
const retryMs = 1000;

export interface ViewerWantsOptions {
  readonly client: EtcdClient;
  /** Of the cluster; ends with "/". */
  readonly prefix: string;
  readonly nodes: ClusterNodes;
  readonly log: Logger;
}

/**
 * Which node has viewers of a camera that is live at another one: `views/CAMERA/NODE`, under the node's lease. Whoever has the
 * stream sends it there, once for all of the node's viewers.
 */
export class ViewerWants {
  readonly #options: ViewerWantsOptions;
  readonly #prefix: string;
  readonly #mirror: Mirror;
  readonly #byCamera = new Map<string, Set<string>>();
  readonly #listeners = new Set<(camera: string) => void>();
  /** What this node wants, and what it is known to have written. */
  readonly #own = new Set<string>();
  readonly #written = new Set<string>();
  /** Cameras of which the two may differ. */
  readonly #changed = new Set<string>();
  readonly #timer: NodeJS.Timeout;
  #isWriting = false;

  constructor(options: ViewerWantsOptions) {
    this.#options = options;
    this.#prefix = `${options.prefix}views/`;
    const { client, log } = options;
    this.#mirror = new Mirror({
      client,
      prefix: this.#prefix,
      log,
      take: (path, kv) => this.#take(path, kv !== undefined),
    });
    options.nodes.onLease(() => {
      // What was under the lease before is gone.
      this.#written.clear();
      for (const camera of this.#own) this.#changed.add(camera);
      void this.#write();
    });
    this.#timer = setInterval(() => void this.#write(), retryMs).unref();
  }

  /** Nodes with viewers of a camera. */
  of(camera: string): readonly string[] {
    const nodes = this.#byCamera.get(camera);
    return nodes === undefined ? [] : [...nodes].sort();
  }

  onChange(listener: (camera: string) => void): void {
    this.#listeners.add(listener);
  }

  /** This node has viewers of a camera, or none any more. */
  want(camera: string, isWanted: boolean): void {
    if (isWanted) this.#own.add(camera);
    else this.#own.delete(camera);
    this.#changed.add(camera);
    void this.#write();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#mirror.close();
  }

  #take(path: string, isThere: boolean): void {
    const [camera = '', node = '', more] = path.split('/');
    if (camera === '' || !nodeIdPattern.test(node) || more !== undefined) {
      if (isThere) this.#mirror.nameStray(path);
      return;
    }
    const nodes = this.#byCamera.get(camera) ?? new Set();
    if (isThere) nodes.add(node);
    else nodes.delete(node);
    if (nodes.size > 0) this.#byCamera.set(camera, nodes);
    else this.#byCamera.delete(camera);
    for (const listener of this.#listeners) listener(camera);
  }

  async #write(): Promise<void> {
    const { client, nodes, log } = this.#options;
    if (this.#isWriting) return;
    this.#isWriting = true;
    try {
      for (const camera of this.#changed) {
        while (this.#own.has(camera) !== this.#written.has(camera)) {
          const lease = nodes.leaseId;
          if (lease === undefined) return;
          const isWanted = this.#own.has(camera);
          const key = Buffer.from(`${this.#prefix}${camera}/${nodes.self.id}`);
          const success = isWanted
            ? [{ requestPut: { key, value: Buffer.from('{}'), lease } }]
            : [{ requestDeleteRange: { key } }];
          await client.txn({ compare: [], success, failure: [] }, callMs);
          // Under a lease that has ended meanwhile it is gone.
          if (!isWanted) this.#written.delete(camera);
          else if (nodes.leaseId === lease) this.#written.add(camera);
        }
        this.#changed.delete(camera);
      }
    } catch (error) {
      log.debug('what the viewers here want cannot be told', { error: messageOf(error) });
    } finally {
      this.#isWriting = false;
    }
  }
}
