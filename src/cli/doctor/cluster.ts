import type { Settings } from '../../config/index.js';
import { codeOf, messageOf } from '../../errors.js';
import { type EtcdAccess, EtcdClient } from '../../etcd/client.js';
import type { MemberStatus } from '../../etcd/protocol.js';
import { plural } from '../../plural.js';
import { ClusterKeys } from '../../store/etcd/keys.js';
import { withShared } from '../backup/cluster-command.js';
import { etcdAccess, streamSecretName } from '../cluster.js';
import { formatBytes } from '../format.js';
import { type Check, fail, ok, warn } from './check.js';
import { checkRules } from './disk.js';

/** How long a member may take to answer. */
const memberMs = 2500;
const writeMs = 5000;
const writeTries = 5;
/** Every change of the state waits for such a write, and so does each camera that comes. */
const writeWarnMs = 50;
/** The oldest that is spoken with. */
const oldest = [3, 4] as const;

/** One member of etcd, as it says of itself. */
export interface Member {
  readonly endpoint: string;
  readonly status: MemberStatus | undefined;
  /** Why it said nothing. */
  readonly failure: string;
}

/** The etcd of a cluster, and what the nodes share in it. Nothing is written. */
export async function checkCluster(dataDir: string, settings: Settings): Promise<Check[]> {
  let access: EtcdAccess;
  try {
    access = await etcdAccess(settings);
  } catch (error) {
    return [fail('etcd', messageOf(error), 'Correct it; without it etcd cannot be asked.')];
  }
  const members = await Promise.all(
    access.endpoints.map((endpoint) => askMember({ ...access, endpoints: [endpoint] })),
  );
  const checks = members.map((member) => memberCheck(member, members));
  const clusters = new Set(members.flatMap(({ status }) => (status === undefined ? [] : [status.header.clusterId])));
  if (clusters.size > 1) {
    const message = `the members that --cluster names belong to ${clusters.size} clusters of etcd`;
    checks.push(fail('etcd cluster', message, 'Name members of one of them.'));
  }
  if (clusters.size !== 1) return checks;
  checks.push(await checkWrites(access, settings));
  return [...checks, ...(await checkShared(dataDir, settings))];
}

async function askMember(access: EtcdAccess): Promise<Member> {
  const endpoint = access.endpoints[0]!;
  const client = new EtcdClient(access);
  try {
    return { endpoint, status: await client.status(memberMs), failure: '' };
  } catch (error) {
    return { endpoint, status: undefined, failure: messageOf(error) };
  } finally {
    client.close();
  }
}

/** What a member says, judged. @param all those that are named: a node needs one that answers */
export function memberCheck({ endpoint, status, failure }: Member, all: readonly Member[]): Check {
  const name = 'etcd';
  if (status === undefined) {
    const advice = 'Start it, or correct --cluster, its certificates or its user.';
    const isAlone = all.every((each) => each.status === undefined);
    return isAlone ? fail(name, failure, `${advice} No change can be made without etcd.`) : warn(name, failure, advice);
  }
  const { version, dbSize, leader, errors, isLearner, header } = status;
  const alarms = errors.filter((each) => each.includes('alarm:'));
  const part = isLearner ? 'a learner' : leader === header.memberId ? 'leads' : 'follows';
  const message = `${endpoint} is etcd ${version}, ${part}, database ${formatBytes(Number(dbSize))}`;
  if (alarms.some((each) => each.includes('NOSPACE'))) {
    const advice = 'Compact and defragment it, or raise --quota-backend-bytes of etcd; then `etcdctl alarm disarm`.';
    return fail(name, `${message}: it has reached its quota, and takes no writes (alarm NOSPACE)`, advice);
  }
  if (alarms.length > 0) {
    const advice = 'Look with `etcdctl alarm list`; etcd says in its documentation what each alarm asks for.';
    return fail(name, `${message}; alarms: ${alarms.join(', ')}`, advice);
  }
  if (leader === '0') {
    return fail(name, `${message}: no member leads`, 'Start more members: a majority of them has to reach each other.');
  }
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major < oldest[0] || (major === oldest[0] && minor < oldest[1])) {
    return fail(name, message, `Update it: etcd ${oldest.join('.')} or later is needed.`);
  }
  if (isLearner) return warn(name, message, 'Promote it (`etcdctl member promote`), or name a member that votes.');
  return ok(name, message);
}

/** Whether this node may write, and how long a majority takes to have a write on disk. */
async function checkWrites(access: EtcdAccess, { clusterPrefix }: Settings): Promise<Check> {
  const name = 'etcd writes';
  const client = new EtcdClient(access);
  try {
    const key = Buffer.from(new ClusterKeys(clusterPrefix).head);
    // The first one connects.
    await client.tryWrite(key, writeMs);
    const timesMs: number[] = [];
    for (let index = 0; index < writeTries; index++) {
      const sentMs = performance.now();
      await client.tryWrite(key, writeMs);
      timesMs.push(performance.now() - sentMs);
    }
    const medianMs = timesMs.sort((a, b) => a - b)[Math.floor(writeTries / 2)]!;
    const message = `taken below ${clusterPrefix}; a majority has one on disk after ${medianMs.toFixed(1)} ms`;
    if (medianMs <= writeWarnMs) return ok(name, message);
    const advice =
      'Every change waits for this, and every camera that comes: give the members of etcd faster disks, or a nearer network.';
    return warn(name, message, advice);
  } catch (error) {
    const advice = `Without writes no change is taken, no camera is claimed, and this node is not in the list; a user of etcd needs readwrite on the prefix ${clusterPrefix}.`;
    return fail(name, messageOf(error), advice);
  } finally {
    client.close();
  }
}

/** Whether the secret is that of the other nodes, and what they share can be read. */
async function checkShared(dataDir: string, settings: Settings): Promise<Check[]> {
  const name = 'cluster state';
  try {
    const { state, isNew } = await withShared(settings, async ({ store, secrets }) => {
      return { state: store.state, isNew: !secrets.all.has(streamSecretName) };
    });
    const found = `${plural(state.cameras.size, 'camera')} and ${plural(state.engines.size, 'engine')}`;
    const secret = isNew
      ? 'no node has been started with it yet'
      : 'the secret of cluster-secret-file opens what is sealed';
    const message = `etcd has ${found} below ${settings.clusterPrefix}; ${secret}`;
    return [ok(name, message), await checkRules(dataDir, settings, async () => state)];
  } catch (error) {
    const advice = `Do as it says; ${codeOf(error)} is explained in docs/errors.md.`;
    return [fail(name, messageOf(error), advice)];
  }
}
