import type { OtherNodes } from '../api/v1/other-nodes.js';
import type { MediaBackend } from '../backend/backend.js';
import { CameraClaims } from '../cluster/claims.js';
import { NodeClocks } from '../cluster/clocks.js';
import { GoneNodes } from '../cluster/gone-nodes.js';
import { HolderQuestions } from '../cluster/holders.js';
import type { LiveCameras } from '../cluster/live-cameras.js';
import { NodeTokens } from '../cluster/node-token.js';
import type { ClusterNodes } from '../cluster/nodes.js';
import { Peers } from '../cluster/peers.js';
import { CodedError } from '../errors.js';
import type { Logger } from '../log/log.js';
import type { ClusterAccess } from './cluster.js';

/** How this node asks the others, and what it learns of them by that. */
export interface ClusterPeers {
  /** The APIs of the nodes in the list. */
  readonly others: OtherNodes;
  readonly clocks: NodeClocks;
  /** Nodes that are not in the list, too. */
  readonly gone: GoneNodes;
  /** Asks those too. */
  readonly anybody: Peers;
}

export function peersOf({ secret, store }: ClusterAccess, nodes: ClusterNodes, log: Logger): ClusterPeers {
  const { id: self } = nodes.self;
  const tokens = new NodeTokens(secret, store.prefix, self);
  const gone = new GoneNodes(nodes);
  const peers = new Peers(nodes, tokens, (...answer) => clocks.note(...answer));
  const clocks: NodeClocks = new NodeClocks(
    nodes,
    (node) => peers.ask(node, { method: 'GET', path: '/healthz', scope: 'read' }),
    log,
  );
  const others: OtherNodes = {
    get ids() {
      return nodes.all.flatMap(({ id }) => (id === self ? [] : [id]));
    },
    ask: (node, request) => peers.ask(node, request),
    follow: (node, request) => peers.follow(node, request),
  };
  return { others, clocks, gone, anybody: new Peers(gone, tokens) };
}

/** Has one node at a time have a camera. */
export interface Claiming {
  readonly claims: CameraClaims;
  readonly holders: HolderQuestions;
  close(): void;
}

/** @returns undefined where the backend gives no camera away */
export function claimCameras(
  { client, store }: ClusterAccess,
  nodes: ClusterNodes,
  { gone, anybody }: Pick<ClusterPeers, 'gone' | 'anybody'>,
  { yielding }: MediaBackend,
  live: LiveCameras,
  log: Logger,
): Claiming | undefined {
  if (yielding === null) return undefined;
  const claims: CameraClaims = new CameraClaims({
    ...{ client, prefix: store.prefix, nodes, cameras: yielding, live, log },
    askedHolderOf: (camera, isAway) => holders.holderOf(camera, isAway),
  });
  const holders = new HolderQuestions({
    ...{ nodes, gone, cameras: yielding, live, log },
    epochOf: (camera) => claims.epochOf(camera),
    giveUp: (camera, node) => claims.giveUp(camera, node),
    ask: async (node, path, body, limitMs) => {
      const { status, bytes } = await anybody.ask(node, { method: 'POST', path, scope: 'read', body, limitMs });
      if (status !== 200) throw new CodedError('NODE_UNAVAILABLE', `node ${node} answers ${status}`);
      return bytes;
    },
  });
  live.onChange((camera) => {
    if (live.holderOf(camera) === undefined) yielding.freed(camera);
  });
  yielding.askBeforePublish(claims);
  const close = (): void => {
    holders.close();
    claims.close();
  };
  return { claims, holders, close };
}
