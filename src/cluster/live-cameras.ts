import type { EtcdClient } from '../etcd/client.js';
import type { KeyValue } from '../etcd/protocol.js';
import type { Logger } from '../log/log.js';
import { Mirror } from './mirror.js';

const nodeIdPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const maxRefused = 1000;

/** Which node has a live camera. */
export interface LiveCamera {
  readonly node: string;
  /** The revision at which it was claimed: the newer one counts. */
  readonly epoch: number;
}

/** The live cameras of all nodes, as they claimed them; see `CameraClaims`. */
export class LiveCameras {
  readonly #cameras = new Map<string, LiveCamera>();
  readonly #listeners = new Set<(camera: string) => void>();
  readonly #mirror: Mirror;
  readonly #log: Logger;
  /** Cameras with a claim that no node made: each is named once. */
  readonly #refused = new Set<string>();

  /** @param options.prefix of the cluster; ends with "/" */
  constructor({ client, prefix, log }: { client: EtcdClient; prefix: string; log: Logger }) {
    this.#log = log;
    this.#mirror = new Mirror({
      client,
      prefix: `${prefix}claims/live/`,
      log,
      take: (name, kv) => this.#take(name, kv),
    });
  }

  /** Resolves when what was claimed before is known; not before etcd answers. */
  get ready(): Promise<void> {
    return this.#mirror.ready;
  }

  /** By camera. */
  get all(): ReadonlyMap<string, LiveCamera> {
    return this.#cameras;
  }

  /** The node that has a camera; undefined: none, as far as is known here. */
  holderOf(camera: string): string | undefined {
    return this.#cameras.get(camera)?.node;
  }

  /** Has a listener told of each camera that is live elsewhere than before, or nowhere. */
  onChange(listener: (camera: string) => void): void {
    this.#listeners.add(listener);
  }

  close(): void {
    this.#mirror.close();
  }

  #refuse(camera: string): void {
    if (this.#refused.has(camera) || this.#refused.size >= maxRefused) return;
    this.#refused.add(camera);
    this.#log.error('a claim in etcd that no node made is ignored', { camera: camera.slice(0, 64) });
  }

  #take(camera: string, kv: KeyValue | undefined): void {
    const node = kv === undefined ? '' : holderIn(kv);
    if (kv !== undefined && node === '') this.#refuse(camera);
    else this.#refused.delete(camera);
    if (kv === undefined || node === '') this.#cameras.delete(camera);
    else this.#cameras.set(camera, { node, epoch: Number(kv.createRevision) });
    for (const listener of this.#listeners) listener(camera);
  }
}

/** The node that a claim is of; empty for what no node writes. */
export function holderIn({ value }: KeyValue): string {
  if (value.length > 4096) return '';
  try {
    const parsed: unknown = JSON.parse(value.toString());
    if (typeof parsed !== 'object' || parsed === null || !('node' in parsed)) return '';
    return typeof parsed.node === 'string' && nodeIdPattern.test(parsed.node) ? parsed.node : '';
  } catch {
    // Written by hand: nobody's.
    return '';
  }
}
