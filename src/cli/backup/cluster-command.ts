import { statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { loadSettings, type Settings } from '../../config/index.js';
import { CodedError, StateError } from '../../errors.js';
import { silentLogger } from '../../log/log.js';
import { plural } from '../../plural.js';
import { clusterStateFileName } from '../../store/etcd/snapshot.js';
import { openShared, type SharedState } from '../cluster.js';
import type { CliIo } from '../io.js';

/** The flags of commands that read or write what the nodes of a cluster share. The other settings come from file and variables. */
export interface ClusterFlags {
  readonly cluster?: string;
  readonly clusterPrefix?: string;
  readonly clusterSecretFile?: string;
}

export function withClusterFlags(command: Command): Command {
  return command
    .option('--cluster <endpoints>', 'members of the etcd of the cluster: etcd://HOST:PORT,HOST:PORT')
    .option('--cluster-secret-file <file>', 'file with the secret of the cluster')
    .option('--cluster-prefix <key>', 'prefix of all keys in etcd');
}

/** The settings of a command, with its own flags. @throws ConfigError */
export function settingsWith(flags: ClusterFlags & { readonly dataDir?: string }, io: CliIo): Settings {
  const { dataDir, cluster, clusterPrefix, clusterSecretFile } = flags;
  const { settings } = loadSettings({
    flags: {
      'data-dir': dataDir,
      cluster,
      'cluster-prefix': clusterPrefix,
      'cluster-secret-file': clusterSecretFile,
    },
    env: io.env,
    cwd: io.cwd,
  });
  return settings;
}

/**
 * Refuses to take the state of a node's own from a folder whose node has it in etcd: what is there is what it was before.
 * @throws CodedError USAGE
 */
export function refuseClusterFolder(folder: string): void {
  const cluster = changedMs(join(folder, clusterStateFileName));
  const own = ['state.json', 'state.journal'].map((name) => changedMs(join(folder, name)));
  // Who went back to a node that is alone has changed its state since.
  if (cluster === undefined || own.some((ms) => ms !== undefined && ms > cluster)) return;
  const message = `the node of ${folder} is one of a cluster, and its state is in etcd: give --cluster and --cluster-secret-file as the node has them. If it is alone again, remove ${join(folder, clusterStateFileName)} first`;
  throw new CodedError('USAGE', message);
}

function changedMs(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs;
}

/**
 * Does something with what the nodes share, while they run or not. Nothing of it stays on this machine.
 * @throws StateError CLUSTER_UNAVAILABLE, CLUSTER_REPLACED; STATE_SEALED where the secret is not that of the cluster
 */
export async function withShared<R>(settings: Settings, work: (shared: SharedState) => Promise<R>): Promise<R> {
  const folder = await mkdtemp(join(tmpdir(), 'media-aggregator-cluster-'));
  try {
    const shared = await openShared(settings, folder, silentLogger);
    try {
      refuseUnreadable(shared);
      return await work(shared);
    } finally {
      await shared.close();
    }
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}

/** What cannot be read would be lost in a backup, and written over by an import. */
function refuseUnreadable({ store, tokens, secrets, secret }: SharedState): void {
  const problem = store.problems[0];
  if (problem !== undefined) throw new StateError(problem.code, problem.message, { cause: problem });
  const refused = tokens.refused + secrets.refused;
  if (refused === 0) return;
  const message = `${plural(refused, 'key or token', 'keys or tokens')} in etcd cannot be opened with the secret ${secret.id} of the cluster-secret-file: give the file that the nodes have`;
  throw new StateError('STATE_SEALED', message);
}
