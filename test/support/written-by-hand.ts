import { EventEmitter } from 'node:events';
import type { EtcdClient } from '../../src/etcd/client.js';

const header = { clusterId: '1', memberId: '1', revision: '1' };

/** Whoever can write to etcd writes what they like; the nodes follow it. */
export class WrittenByHand {
  readonly #watches: EventEmitter[] = [];
  #revision = 1;

  get client(): EtcdClient {
    const stream = (): EventEmitter => Object.assign(new EventEmitter(), { write: () => true, cancel: () => {} });
    return {
      endpoint: 'fake',
      next: () => {},
      watch: async () => {
        const watch = stream();
        this.#watches.push(watch);
        return watch;
      },
      range: async () => ({ header, kvs: [], more: false, count: '0' }),
      leaseGrant: async () => ({ header, ID: '7', TTL: '60' }),
      leaseKeepAlive: async () => stream(),
      leaseRevoke: async () => {},
      txn: async () => ({ header, succeeded: true, responses: [] }),
    } as unknown as EtcdClient;
  }

  /** An error in a reader is thrown here, as it would be in the stream of a real one, which ends the process. */
  put(key: string | Buffer, value: string | Buffer): void {
    this.#revision += 1;
    const revision = String(this.#revision);
    const kv = { key: Buffer.from(key), value: Buffer.from(value), createRevision: revision, modRevision: revision };
    const events = [{ type: 'PUT', kv: { ...kv, lease: '0', version: '1' } }];
    for (const watch of this.#watches) {
      watch.emit('data', { header: { ...header, revision }, canceled: false, compactRevision: '0', events });
    }
  }
}
