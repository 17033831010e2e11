import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Manifest } from '../access/manifest.js';
import { keptKey } from '../access/private-file.js';
import { type NodeIdentity, takeNodeId } from '../cluster/node-id.js';
import { NodeRecords } from '../cluster/node-record.js';
import type { Settings } from '../config/index.js';
import { messageOf } from '../errors.js';
import { EtcdError } from '../etcd/etcd-error.js';
import { isDiskTrouble } from '../files/errno.js';
import type { Logger } from '../log/log.js';
import { type ClusterAccess, isAway } from './cluster.js';

/**
 * Sees to it that no other node that lives has the id of this one; without etcd that is found out later. Alone it has none.
 * @throws StateError NODE_ID_TAKEN; ConfigError ACCESS_UNREADABLE
 */
export async function takeIdentity(
  cluster: ClusterAccess | undefined,
  { dataDir, nodeId: id }: Pick<Settings, 'dataDir' | 'nodeId'>,
  log: Logger,
  manifest: Manifest,
): Promise<NodeIdentity> {
  if (cluster === undefined) return { folder: undefined, copy: undefined };
  const { client, store, secret } = cluster;
  const { prefix } = store;
  const identity = await nodeIdentityOf(dataDir, log, manifest);
  if (isAway(store)) return identity;
  try {
    await takeNodeId({ client, prefix, records: new NodeRecords(secret, prefix), id, identity, log });
  } catch (error) {
    if (!(error instanceof EtcdError)) throw error;
  }
  return identity;
}

/**
 * Says which data folder this is, and nothing of the random value that lies in it: a node knows its own life before by it.
 * @returns 32 hexadecimal digits each; undefined on a full disk, which is no reason not to start, and where the system does not
 *   tell its starts apart
 * @throws ConfigError ACCESS_UNREADABLE
 */
async function nodeIdentityOf(folder: string, log: Logger, manifest: Manifest): Promise<NodeIdentity> {
  const key = await keptKey(join(folder, 'node-key'), { log, manifest }).catch((error: unknown) => {
    if (!(error instanceof Error) || !isDiskTrouble(error.cause)) throw error;
    log.warn('the key of this data folder cannot be stored; after a crash its cameras wait for the lease to end', {
      error: messageOf(error),
    });
    return undefined;
  });
  if (key === undefined) return { folder: undefined, copy: undefined };
  const hashed = (what: string) => createHash('sha256').update(what).update(key).digest('hex').slice(0, 32);
  const place = await placeOf(folder);
  return {
    folder: hashed('media-aggregator data folder '),
    copy: place === undefined ? undefined : hashed(`media-aggregator copy of a data folder ${place} `),
  };
}

/**
 * Of all copies of a folder, on all machines and over all their starts, this one. Two processes cannot have it at the same time:
 * the lock of the folder holds within one start of one system.
 */
async function placeOf(folder: string): Promise<string | undefined> {
  try {
    const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
    const { dev, ino } = await stat(folder, { bigint: true });
    return `${boot} ${dev} ${ino}`;
  } catch {
    // Another system than Linux.
    return undefined;
  }
}
