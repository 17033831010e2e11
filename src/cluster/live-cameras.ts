import type { EtcdClient } from '../etcd/client.js';
import type { KeyValue } from '../etcd/protocol.js';
import type { Logger } from '../log/log.js';
import { Mirror } from './mirror.js';

/** What a node may be called. */
export const nodeIdPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const maxRefused = 1000;

/** Which node has a live camera. */
export interface LiveCamera {
  readonly node: string;
  /** The revision at which it was claimed: the newer one counts. */
  readonly epoch: number;
}

/** Follows what is written of claims, as it is written. */
export interface ClaimReader {
  /** A camera was claimed, or its claim is gone (`kv` undefined). @param revision of the change */
  claimed(camera: string, kv: KeyValue | undefined, revision: number): void;
  /** A node wants a camera that another one has. @param by which one; undefined: it was answered */
  wanted(camera: string, by: string | undefined): void;
  /** What happened lately is not known: etcd was compacted meanwhile, or is another one. */
  missed(): void;
}

/**
 * The live cameras of all nodes, as they claimed them; see `CameraClaims`, which reads from the same watch: each node is told of
 * each claim once.
 */
export class LiveCameras {
  #reader: ClaimReader | undefined;
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
      prefix: `${prefix}claims/`,
      log,
      take: (path, kv, revision) => this.#take(path, kv, revision),
      readAgain: () => this.#reader?.missed(),
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

  /** Has the reader follow all changes from now on. */
  readBy(reader: ClaimReader): void {
    this.#reader = reader;
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

  #take(path: string, kv: KeyValue | undefined, revision: number | undefined): void {
    const [kind, camera = '', more] = path.split('/');
    const isOne = camera !== '' && more === undefined && (kind === 'live' || kind === 'wanted');
    if (!isOne) {
      if (kv !== undefined) this.#mirror.nameStray(path);
    } else if (kind === 'live') this.#takeLive(camera, kv, revision);
    else if (revision !== undefined) this.#takeWanted(camera, kv);
  }

  #takeWanted(camera: string, kv: KeyValue | undefined): void {
    const by = kv === undefined ? undefined : holderIn(kv);
    if (by === '') this.#refuse(camera);
    else this.#reader?.wanted(camera, by);
  }

  #takeLive(camera: string, kv: KeyValue | undefined, revision: number | undefined): void {
    const node = kv === undefined ? '' : holderIn(kv);
    if (kv !== undefined && node === '') this.#refuse(camera);
    else this.#refused.delete(camera);
    if (kv === undefined || node === '') this.#cameras.delete(camera);
    else this.#cameras.set(camera, { node, epoch: Number(kv.createRevision) });
    if (revision !== undefined) this.#reader?.claimed(camera, kv, revision);
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
