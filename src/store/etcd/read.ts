import type { EtcdClient } from '../../etcd/client.js';
import { prefixEnd, type RangeResponse } from '../../etcd/protocol.js';
import { type EntryEvent, entryText } from './entries.js';
import type { ClusterKeys } from './keys.js';

/** Entries in one answer. */
const pageSize = 500;

/** All of the state, at one revision. */
export interface WholeState {
  readonly clusterId: string;
  readonly revision: number;
  /** The revision of the last change by a node; 0: there was none. */
  readonly head: number;
  readonly entries: readonly EntryEvent[];
}

/** Reads all entries at one revision, page by page. @throws EtcdError CLUSTER_UNAVAILABLE */
export async function readCluster(client: EtcdClient, keys: ClusterKeys, limitMs: number): Promise<WholeState> {
  const rangeEnd = prefixEnd(keys.state);
  const entries: EntryEvent[] = [];
  let head = 0;
  let first: RangeResponse | undefined;
  let key = Buffer.from(keys.state);
  for (;;) {
    const revision = first === undefined ? {} : { revision: Number(first.header.revision) };
    const page = await client.range({ key, rangeEnd, limit: pageSize, ...revision }, limitMs);
    first ??= page;
    for (const kv of page.kvs) {
      const name = kv.key.toString();
      const at = Number(kv.modRevision);
      if (name === keys.head) head = at;
      const entry = keys.entryOf(name);
      if (entry !== undefined) entries.push({ ...entry, text: entryText(kv.value), revision: at });
    }
    const last = page.kvs.at(-1);
    if (!page.more || last === undefined) break;
    key = Buffer.concat([last.key, Buffer.from([0])]);
  }
  return { clusterId: first.header.clusterId, revision: Number(first.header.revision), head, entries };
}
