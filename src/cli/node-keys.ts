import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Manifest } from '../access/manifest.js';
import { keptKey } from '../access/private-file.js';
import { messageOf } from '../errors.js';
import { isDiskTrouble } from '../files/errno.js';
import { markOf } from '../files/read.js';
import type { Logger } from '../log/log.js';
import type { DesiredState } from '../model/model.js';
import { plural } from '../plural.js';
import type { ClusterAccess } from './cluster.js';

export interface NodeKeys {
  /** Signs entity tags. */
  readonly tagKey: Buffer;
  /** Publish keys and play tokens derive from it. */
  readonly streamSecret: Buffer;
}

/** The keys of a node: those of its cluster, else kept in its data folder. @throws ConfigError ACCESS_UNREADABLE */
export async function openNodeKeys(options: {
  folder: string;
  cluster: ClusterAccess | undefined;
  state: DesiredState;
  log: Logger;
  manifest: Manifest;
}): Promise<NodeKeys> {
  const { folder, cluster, state, log, manifest } = options;
  // Before the etag-key is made.
  const evidence = await sayWhetherRan(folder, state);
  const secretPath = join(folder, 'stream-secret');
  const isNew = cluster === undefined && (await markOf(secretPath).catch(() => null)) === undefined;
  // A tag that one node gave out holds at every node, and so do publish keys and play tokens.
  const tagKey = cluster?.secret.keyFor('etag') ?? (await openTagKey(folder, log, manifest));
  const otherKey = 'all generated publish keys are others, and all play tokens are invalid';
  const kept = { log, manifest, otherKey, evidence };
  const streamSecret = cluster?.streamSecret ?? (await keptKey(secretPath, kept));
  if (isNew && state.cameras.size > 0) {
    const message =
      'the state has cameras and there was no stream-secret, as after a restore into a new folder: one is made. Where this folder had one, generated publish keys and play tokens are others now; bring it back from a backup';
    log.warn(message, { file: secretPath, cameras: state.cameras.size });
  }
  return { tagKey, streamSecret };
}

/**
 * What says that an aggregator served this state from this folder, so that it had a stream secret, even where manifest and
 * secret are both gone. Each start makes the `etag-key` just before the secret. A state that was provisioned or restored
 * into a new folder has none beside it, and nothing can be known of a folder from which all three are gone.
 */
async function sayWhetherRan(folder: string, { cameras }: DesiredState): Promise<string | undefined> {
  if (cameras.size === 0) return undefined;
  const mark = await markOf(join(folder, 'etag-key')).catch(() => undefined);
  return mark === undefined
    ? undefined
    : `the state has ${plural(cameras.size, 'camera')}, and an etag-key lies beside it`;
}

/** Entity tags need not outlive this process: a full disk, on which none can be kept, is no reason not to start. */
async function openTagKey(dataDir: string, log: Logger, manifest: Manifest): Promise<Buffer> {
  try {
    return await keptKey(join(dataDir, 'etag-key'), { log, manifest });
  } catch (error) {
    if (!(error instanceof Error) || !isDiskTrouble(error.cause)) throw error;
    log.warn('the key of the entity tags cannot be stored; ETags change at the next start', {
      error: messageOf(error),
    });
    return randomBytes(32);
  }
}
