import { setTimeout as sleep } from 'node:timers/promises';
import { StateError } from '../errors.js';
import type { EtcdClient } from '../etcd/client.js';
import type { KeyValue } from '../etcd/protocol.js';
import type { Logger } from '../log/log.js';
import type { ClusterNode, NodeRecords } from './node-record.js';

const callMs = 3000;
const lookMs = 300;

/** Which data folder a node runs on. */
export interface NodeIdentity {
  /** Of the folder and of all copies of it; undefined: not known. */
  readonly folder: string | undefined;
  /** Of this very folder on this start of this machine: whoever had it before has ended. Undefined: not known. */
  readonly copy: string | undefined;
}

export interface NodeIdOptions {
  readonly client: EtcdClient;
  /** Ends with "/". */
  readonly prefix: string;
  readonly records: NodeRecords;
  readonly id: string;
  readonly identity: NodeIdentity;
  readonly log: Logger;
}

/**
 * Sees to it that no living node has this id. A life before on this very folder is ended at once: what it had claimed is free.
 * Any other one, as of a machine that was cloned, or of this one before it was started anew, is never touched: either its lease
 * is kept alive, or this node waits for the end of it.
 * @throws StateError NODE_ID_TAKEN: it lives; EtcdError: etcd does not answer
 */
export async function takeNodeId({ client, prefix, records, id, identity, log }: NodeIdOptions): Promise<void> {
  const key = Buffer.from(`${prefix}nodes/${id}`);
  let lease: string | undefined;
  /** When it ends at the latest, by the monotonic clock, if nobody keeps it alive. */
  let endsByMs = Number.POSITIVE_INFINITY;
  for (;;) {
    const { kvs } = await client.range({ key }, callMs);
    const found = kvs[0];
    const other = found === undefined ? undefined : holderOfKey(records, id, found);
    if (found === undefined || other === undefined) return;
    if (identity.copy !== undefined && other.copy === identity.copy) {
      await client.leaseRevoke(found.lease, callMs);
      log.info('this node did not end in order: what it had claimed is free again', { node: id });
      return;
    }
    const askedMs = performance.now();
    const seconds = await client.leaseTimeToLive(found.lease, callMs);
    if (found.lease !== lease) {
      lease = found.lease;
      endsByMs = Number.POSITIVE_INFINITY;
      log.info(
        'the id of this node is in use, or was until a moment ago: the start waits to see whether its lease ends',
        {
          ...{ node: id, api: other.api, seconds: Math.max(0, seconds + 1) },
        },
      );
    }
    // Etcd takes a moment to end a lease that is over.
    if (seconds > 0 && askedMs + seconds * 1000 > endsByMs) throw nodeIdTaken(other, identity);
    // Etcd counts whole seconds.
    endsByMs = Math.min(endsByMs, performance.now() + (seconds + 1) * 1000);
    await sleep(lookMs);
  }
}

/** The node whose key it is; undefined for what no node keeps alive, or wrote. */
export function holderOfKey(records: NodeRecords, id: string, { value, lease }: KeyValue): ClusterNode | undefined {
  return lease === '0' ? undefined : records.read(id, value).node;
}

/** Says which node has the id, where it is, and what to do. */
export function nodeIdTaken({ id, api, folder }: ClusterNode, identity: NodeIdentity): StateError {
  const isCopy = folder !== undefined && folder === identity.folder;
  const how = isCopy ? ', on a copy of the data folder of this one, as after a machine was cloned' : '';
  return new StateError(
    'NODE_ID_TAKEN',
    `another node with the id ${id} lives at ${api}${how}; give one of the two another name with --node-id`,
  );
}
