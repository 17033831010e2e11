import { join } from 'node:path';
import type { SharedAccess } from '../access/access.js';
import type { ClusterView } from '../api/v1/cluster.js';
import type { OtherNodes } from '../api/v1/other-nodes.js';
import type { CameraClaims } from '../cluster/claims.js';
import type { NodeClocks } from '../cluster/clocks.js';
import type { Drain } from '../cluster/drain.js';
import type { GoneNodes } from '../cluster/gone-nodes.js';
import type { HolderQuestions } from '../cluster/holders.js';
import type { LiveCameras } from '../cluster/live-cameras.js';
import type { NodeIdentity } from '../cluster/node-id.js';
import { isNodeToken, NodeTokens } from '../cluster/node-token.js';
import { ClusterNodes } from '../cluster/nodes.js';
import { RelayTickets } from '../cluster/relay-tickets.js';
import { Sealer } from '../cluster/sealer.js';
import { type ClusterSecret, readClusterSecret } from '../cluster/secret.js';
import { SharedTexts } from '../cluster/shared-texts.js';
import { ViewerWants } from '../cluster/viewer-wants.js';
import type { Settings } from '../config/index.js';
import type { Control } from '../control/control.js';
import type { Neighbours } from '../control/neighbours.js';
import { ConfigError, messageOf } from '../errors.js';
import { type EtcdAccess, EtcdClient } from '../etcd/client.js';
import { readRegular } from '../files/read.js';
import type { Logger } from '../log/log.js';
import { weightOf } from '../placement/weight.js';
import { EtcdStore } from '../store/etcd/etcd-store.js';
import type { StateCheck } from '../store/file/edit.js';
import { readCertificate } from '../tls/certificate.js';
import { checkTrust } from '../tls/trust.js';
import { clusterFacts, relayVersion } from './cluster-facts.js';

/** What of the cluster is there before this node listens: the shared state, and what all nodes derive from its secret. */
export interface ClusterAccess {
  readonly client: EtcdClient;
  readonly store: EtcdStore;
  /** What all nodes derive their keys from, and sign by. */
  readonly secret: ClusterSecret;
  /** The tokens for the API. */
  readonly tokens: SharedTexts;
  /** What publish keys and play tokens are made from: 32 bytes. */
  readonly streamSecret: Buffer;
  /** Seals anew what is not sealed with the first secret of the file. @returns how many keys were written */
  sealAnew(): Promise<number>;
  close(): Promise<void>;
}

/**
 * Opens the state that the nodes share, where the settings name an etcd.
 * @param dataDir where this node keeps what it knew last
 * @throws StateError CLUSTER_UNAVAILABLE; ConfigError CONFIG_INVALID_VALUE for a file that cannot be used
 */
export async function openCluster(
  settings: Settings,
  dataDir: string,
  log: Logger,
  check: StateCheck,
): Promise<ClusterAccess> {
  const shared = await openShared(settings, dataDir, log, check);
  const { client, store, secret, tokens, secrets, close } = shared;
  try {
    return {
      ...{ client, store, secret, tokens, close },
      streamSecret: await streamSecretIn(secrets, secret),
      sealAnew: async () => (await store.sealAnew()) + (await tokens.sealAnew()) + (await secrets.sealAnew()),
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** What the nodes share in etcd. */
export interface SharedState {
  readonly client: EtcdClient;
  readonly store: EtcdStore;
  readonly secret: ClusterSecret;
  readonly tokens: SharedTexts;
  /** `stream`: what publish keys and play tokens are made from. */
  readonly secrets: SharedTexts;
  close(): Promise<void>;
}

/** The name of the text in `secrets` that publish keys and play tokens are made from: 64 hexadecimal digits. */
export const streamSecretName = 'stream';

/** Opens all that the nodes share, and makes nothing. @throws as `openCluster` */
export async function openShared(
  settings: Settings,
  dataDir: string,
  log: Logger,
  check?: StateCheck,
): Promise<SharedState> {
  const { clusterPrefix, clusterSecretFile = '', nodeId } = settings;
  const secret = await readClusterSecret(clusterSecretFile);
  const client = new EtcdClient(await etcdAccess(settings));
  try {
    const sealing = new Sealer(secret);
    const checks = check === undefined ? {} : { check };
    const store = await EtcdStore.open({ client, prefix: clusterPrefix, dataDir, nodeId, log, sealing, ...checks });
    const shared = (name: string, file: string): Promise<SharedTexts> =>
      SharedTexts.open({
        ...{ client, sealer: sealing, log },
        prefix: `${store.prefix}${name}/`,
        file: join(dataDir, file),
      });
    // At once: without etcd each waits for a while before it takes its copy.
    const opened = await Promise.allSettled([
      shared('tokens', 'cluster-tokens.json'),
      shared('secrets', 'cluster-secrets.json'),
    ]);
    const [tokens, secrets] = opened.map((each) => (each.status === 'fulfilled' ? each.value : undefined));
    if (tokens === undefined || secrets === undefined) {
      tokens?.close();
      secrets?.close();
      await store.close();
      throw opened.find((each) => each.status === 'rejected')?.reason;
    }
    return {
      client,
      store,
      secret,
      tokens,
      secrets,
      close: async () => {
        tokens.close();
        secrets.close();
        await store.close();
        client.close();
      },
    };
  } catch (error) {
    client.close();
    throw error;
  }
}

/** Which etcd the settings name, and as whom. @throws ConfigError CONFIG_INVALID_VALUE for a file that cannot be used */
export async function etcdAccess(settings: Settings): Promise<EtcdAccess> {
  const { cluster = '', clusterUserFile } = settings;
  const [scheme, list = ''] = cluster.split('://');
  const user = clusterUserFile === undefined ? {} : { user: await userIn(clusterUserFile) };
  const tls = scheme === 'etcds' ? { tls: await certificates(settings) } : {};
  return { endpoints: list.split(','), ...tls, ...user };
}

/** Made by the first node, and the same since, also when the cluster's secret is changed. */
async function streamSecretIn(secrets: SharedTexts, secret: ClusterSecret): Promise<Buffer> {
  const name = streamSecretName;
  if (!secrets.all.has(name)) await secrets.create(name, secret.keyFor('stream-secret').toString('hex'));
  const text = secrets.all.get(name) ?? '';
  if (/^[0-9a-f]{64}$/.test(text)) return Buffer.from(text, 'hex');
  const message =
    'the key of publish keys and play tokens in etcd (secrets/stream) cannot be opened with the secrets of cluster-secret-file: give this node the file that the others have';
  throw new ConfigError('ACCESS_UNREADABLE', message);
}

/** Whether etcd does not answer now. */
export function isAway(store: EtcdStore): boolean {
  return store.problems.some(({ code }) => code === 'CLUSTER_UNAVAILABLE');
}

/** Joins the other nodes. @param ports where this node really listens */
export async function joinNodes(
  { client, store, secret }: ClusterAccess,
  settings: Settings,
  self: {
    readonly host: string;
    readonly rtmpPort: number;
    readonly rtmpsPort?: number;
    readonly srtPort?: number;
    readonly version: string;
    readonly takesRelays: boolean;
    readonly identity: NodeIdentity;
  },
  log: Logger,
): Promise<ClusterNodes> {
  const { location, nodeId, nodeLeaseMs, apiPort, apiTlsCert, capacityOutMbps: outMbps, capacityCameras } = settings;
  const { host, rtmpPort, rtmpsPort, srtPort, version, takesRelays } = self;
  const { folder, copy } = self.identity;
  const nodes = new ClusterNodes({
    client,
    prefix: store.prefix,
    secret,
    leaseMs: nodeLeaseMs,
    log,
    onWritten: (error, key) => store.noteWrite(error, key),
    self: {
      id: nodeId,
      ...(location === undefined ? {} : { location }),
      rtmp: `rtmp://${host}:${rtmpPort}`,
      ...(rtmpsPort === undefined ? {} : { rtmps: `rtmps://${host}:${rtmpsPort}` }),
      ...(srtPort === undefined ? {} : { srt: `srt://${host}:${srtPort}` }),
      api: `${apiTlsCert === undefined ? 'http' : 'https'}://${host}:${apiPort}`,
      version,
      ...(folder === undefined ? {} : { folder }),
      ...(copy === undefined ? {} : { copy }),
      ...(outMbps === undefined && capacityCameras === undefined
        ? {}
        : { capacity: { ...(outMbps ? { outMbps } : {}), ...(capacityCameras ? { cameras: capacityCameras } : {}) } }),
      ...(takesRelays ? { relays: relayVersion } : {}),
      startedAt: new Date().toISOString(),
    },
  });
  await nodes.start(isAway(store));
  return nodes;
}

/** What control asks of the other nodes. */
export function neighboursOf(nodes: ClusterNodes, live: LiveCameras): Neighbours {
  return {
    selfId: nodes.self.id,
    get peers() {
      return nodes.all.map((node) => ({ ...node, weight: weightOf(node.capacity) }));
    },
    holderOf: (camera) => live.holderOf(camera),
  };
}

/** What runs of the cluster at this node. */
export interface ClusterParts {
  readonly nodes: ClusterNodes;
  readonly live: LiveCameras;
  readonly drain: Drain;
  readonly others: OtherNodes;
  readonly clocks: NodeClocks;
  /** Who has a camera, as nodes tell each other without etcd; undefined where the backend gives no camera away. */
  readonly holders: HolderQuestions | undefined;
}

/** What the access to this node's API has in common with that to the others. */
export function sharedAccess({ secret, store, tokens }: ClusterAccess, nodeId: string): SharedAccess {
  const ofNodes = new NodeTokens(secret, store.prefix, nodeId);
  return { peers: { isOne: isNodeToken, verify: (token) => ofNodes.verify(token) }, tokens };
}

/** Has streams go from node to node, where the backend can. @returns what is to be closed before the nodes are left */
export function relayBetween(
  { client, store, secret }: ClusterAccess,
  parts: {
    readonly nodes: ClusterNodes;
    readonly gone: GoneNodes;
    readonly live: LiveCameras;
    readonly claims: CameraClaims;
    readonly control: Control;
  },
  { relayTls, relayReturnMs }: Settings,
  log: Logger,
): ViewerWants {
  const { nodes } = parts;
  const wants = new ViewerWants({ client, prefix: store.prefix, nodes, log });
  const tickets = new RelayTickets(secret, store.prefix, nodes.self.id);
  parts.control.placeIn(clusterFacts({ ...parts, wants, tickets, relayTls, log }), relayReturnMs, log);
  return wants;
}

/** What the API shows of the cluster. */
export function clusterView(
  { client, store, secret, sealAnew }: ClusterAccess,
  { nodes, live, drain, others, holders }: ClusterParts,
): ClusterView {
  const { id } = nodes.self;
  const counts = new Map<string, number>();
  for (const { node } of live.all.values()) counts.set(node, (counts.get(node) ?? 0) + 1);
  return {
    id,
    etcd: client.endpoints,
    prefix: store.prefix,
    nodes: nodes.all.map((node) => ({
      id: node.id,
      self: node.id === id,
      location: node.location ?? null,
      rtmp: node.rtmp,
      rtmps: node.rtmps ?? null,
      srt: node.srt ?? null,
      api: node.api,
      version: node.version,
      startedAt: node.startedAt,
      isDraining: node.isDraining === true,
      isFull: node.isFull === true,
      capacity: { outMbps: node.capacity?.outMbps ?? null, cameras: node.capacity?.cameras ?? null },
      load: node.load ?? null,
      liveCameras: counts.get(node.id) ?? 0,
    })),
    others,
    drain,
    holders: (names) => holders?.answer(names) ?? { id, reachesEtcd: nodes.leaseId !== undefined, cameras: [] },
    accept: () => store.acceptReplaced(),
    secretId: secret.id,
    sealAnew,
  };
}

async function userIn(path: string): Promise<{ readonly name: string; readonly password: string }> {
  const { bytes, mode } = await fileOf('cluster-user-file', path);
  if ((mode & 0o007) !== 0) {
    const shown = mode.toString(8).padStart(4, '0');
    const message = `cluster-user-file ${path} may be read or written by every user (mode ${shown}); whoever has it can change the state of all nodes: chmod 600 it.`;
    throw new ConfigError('CONFIG_INVALID_VALUE', message, { field: 'cluster-user-file' });
  }
  const text = bytes.toString().trim();
  const colon = text.indexOf(':');
  if (colon < 1 || /[\r\n]/.test(text)) {
    const message = `cluster-user-file ${path} holds no user: it must be one line NAME:PASSWORD.`;
    throw new ConfigError('CONFIG_INVALID_VALUE', message, { field: 'cluster-user-file' });
  }
  return { name: text.slice(0, colon), password: text.slice(colon + 1) };
}

async function certificates({ clusterCa, clusterCert, clusterKey }: Settings): Promise<{
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
}> {
  const read = async (field: string, path: string | undefined) =>
    path === undefined ? undefined : (await fileOf(field, path)).bytes;
  const [ca, cert, key] = [
    await read('cluster-ca', clusterCa),
    await read('cluster-cert', clusterCert),
    await read('cluster-key', clusterKey),
  ];
  if (ca !== undefined && clusterCa !== undefined) checkTrust(ca, clusterCa, '--cluster-ca');
  if (clusterCert !== undefined && clusterKey !== undefined) {
    const files = { certFile: clusterCert, keyFile: clusterKey };
    readCertificate({ ...files, certFlag: '--cluster-cert', keyFlag: '--cluster-key' });
  }
  return { ...(ca ? { ca } : {}), ...(cert ? { cert } : {}), ...(key ? { key } : {}) };
}

async function fileOf(field: string, path: string): Promise<{ readonly bytes: Buffer; readonly mode: number }> {
  try {
    const found = await readRegular(path, 1 << 20);
    if (found === undefined) throw new Error('there is no such file');
    return found;
  } catch (error) {
    const message = `${field} ${path} cannot be read: ${messageOf(error)}.`;
    throw new ConfigError('CONFIG_INVALID_VALUE', message, { field, cause: error });
  }
}
