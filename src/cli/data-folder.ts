import { access, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Settings } from '../config/index.js';
import { FolderLock } from '../files/lock.js';
import type { Logger } from '../log/log.js';
import type { StateCheck } from '../store/file/edit.js';
import { openFileStore } from '../store/file/file-store.js';
import { MemoryStore } from '../store/memory/memory-store.js';
import type { Sealing } from '../store/sealing.js';
import type { Store } from '../store/store.js';
import { type ClusterAccess, openCluster } from './cluster.js';
import { noDataDir } from './data-path.js';

/** The folder of one aggregator's files, and the store of its state. */
export interface DataFolder {
  readonly path: string;
  readonly store: Store;
  /** Where the state is shared with other nodes. */
  readonly cluster?: ClusterAccess;
  close(): Promise<void>;
}

/**
 * Opens the folder, and the state that the nodes of a cluster share; the folder keeps a copy of it.
 * @throws StateError STATE_LOCKED, CLUSTER_UNAVAILABLE; ConfigError CONFIG_INVALID_VALUE
 */
export async function openClusterFolder(settings: Settings, log: Logger, check: StateCheck): Promise<DataFolder> {
  const path = resolve(settings.dataDir);
  await mkdir(path, { recursive: true });
  const lock = await FolderLock.acquire(path);
  const beat = setInterval(() => void lock.beat().catch(() => undefined), FolderLock.beatMs).unref();
  const release = async (): Promise<void> => {
    clearInterval(beat);
    await lock.release();
  };
  try {
    const hasOwnState = await access(join(path, 'state.json')).then(
      () => true,
      () => false,
    );
    if (hasOwnState) {
      log.info('state.json in this folder is not used: the state comes from the cluster', { folder: path });
    }
    const cluster = await openCluster(settings, path, log, check);
    const close = async (): Promise<void> => {
      await cluster.close();
      await release();
    };
    return { path: settings.dataDir, store: cluster.store, cluster, close };
  } catch (error) {
    await release();
    throw error;
  }
}

/**
 * Opens the folder and the state in it. With `none` the state is kept in memory, and the rest (secrets, tokens, what other
 * programs need) in a folder that is made for this process and removed with it.
 * @param check the rules that hold for whoever writes a state, by hand too; see `checkChangeSteps`
 * @param sealing seals what is secret in the file; undefined: nothing is sealed
 * @throws StateError STATE_LOCKED, STATE_UNREADABLE, STATE_INVALID, STATE_SEALED, STATE_CONFLICT
 */
export async function openDataFolder(
  dataDir: string,
  log: Logger,
  check?: StateCheck,
  sealing?: Sealing,
): Promise<DataFolder> {
  if (dataDir !== noDataDir) {
    const store = await openFileStore({ dataDir, log, sealing, ...(check === undefined ? {} : { check }) });
    return { path: dataDir, store, close: () => store.close() };
  }
  const path = await mkdtemp(join(tmpdir(), 'media-aggregator-'));
  log.warn('nothing is stored: with data-dir none, cameras, pushes and tokens are lost when this process ends', {
    folder: path,
  });
  const store = new MemoryStore(log);
  const close = async (): Promise<void> => {
    await store.close();
    await rm(path, { recursive: true, force: true });
  };
  return { path, store, close };
}
