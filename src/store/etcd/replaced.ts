import { setTimeout as sleep } from 'node:timers/promises';
import type { EtcdClient } from '../../etcd/client.js';
import type { ClusterKeys } from './keys.js';

/** How often an etcd that was replaced is looked at. */
const lookMs = 2000;
const callMs = 5000;

/** Which etcd it is, and how far it has come. */
export interface EtcdPlace {
  /** Decimal. */
  readonly clusterId: string;
  readonly revision: number;
}

/** True for another etcd than the one that is known, or an older state of it. */
export function isReplaced(known: EtcdPlace, found: EtcdPlace): boolean {
  return found.clusterId !== known.clusterId || found.revision < known.revision;
}

/** What a node says of it. */
export function describeReplaced(known: EtcdPlace, found: EtcdPlace): string {
  const what =
    found.clusterId === known.clusterId
      ? `etcd is at revision ${found.revision}, before revision ${known.revision} that this node knew`
      : `etcd is cluster ${found.clusterId}, and this node knew cluster ${known.clusterId}`;
  return `${what}: a backup was restored, or --cluster names another one. What this node knew stays in force and changes are refused. If it is meant: media-aggregator cluster accept`;
}

/** Says to all nodes that the state of the replaced etcd is the right one. @throws EtcdError */
export async function writeAcceptance(client: EtcdClient, keys: ClusterKeys, known: EtcdPlace): Promise<void> {
  const value = Buffer.from(JSON.stringify({ from: known.clusterId, at: new Date().toISOString() }));
  await client.txn(
    { compare: [], success: [{ requestPut: { key: Buffer.from(keys.accepted), value } }], failure: [] },
    callMs,
  );
}

/**
 * Waits until a person accepted the replaced etcd at any node, or until the known one is back.
 * @param isOver true when nobody waits any more
 */
export async function awaitDecision(
  client: EtcdClient,
  keys: ClusterKeys,
  known: EtcdPlace,
  found: EtcdPlace,
  isOver: () => boolean,
): Promise<'accepted' | 'back' | 'over'> {
  while (!isOver()) {
    await sleep(lookMs, undefined, { ref: false });
    if (isOver()) break;
    try {
      const { header, kvs } = await client.range({ key: Buffer.from(keys.accepted) }, callMs);
      const now = { clusterId: header.clusterId, revision: Number(header.revision) };
      const accepted = kvs[0];
      const isAccepted =
        accepted !== undefined &&
        (found.clusterId === known.clusterId
          ? Number(accepted.modRevision) > found.revision
          : comesFrom(accepted.value, known.clusterId));
      if (isAccepted) return 'accepted';
      if (!isReplaced(known, now) && found.clusterId !== known.clusterId) return 'back';
    } catch {
      // It does not answer; what this node knows is in force anyway.
    }
  }
  return 'over';
}

function comesFrom(value: Buffer, clusterId: string): boolean {
  try {
    const parsed: unknown = JSON.parse(value.toString());
    return typeof parsed === 'object' && parsed !== null && 'from' in parsed && parsed.from === clusterId;
  } catch {
    return false;
  }
}
