import type { CameraClaims } from '../cluster/claims.js';
import type { GoneNodes } from '../cluster/gone-nodes.js';
import type { LiveCameras } from '../cluster/live-cameras.js';
import type { ClusterNode } from '../cluster/node-record.js';
import type { ClusterNodes } from '../cluster/nodes.js';
import type { RelayTickets } from '../cluster/relay-tickets.js';
import type { ViewerWants } from '../cluster/viewer-wants.js';
import type { ClusterFacts, PlaceableNode } from '../control/cluster-facts.js';
import { messageOf } from '../errors.js';
import type { Logger } from '../log/log.js';
import { weightOf } from '../placement/weight.js';

/** How nodes of this version let streams of others in. */
export const relayVersion = 1;
/** More than that are not told; a node that cannot reach so many is alone. */
const maxTold = 1000;

/** What placement is told of the cluster, and tells the other nodes. */
export function clusterFacts(parts: {
  readonly nodes: ClusterNodes;
  readonly gone: GoneNodes;
  readonly live: LiveCameras;
  readonly claims: CameraClaims;
  readonly wants: ViewerWants;
  readonly tickets: RelayTickets;
  /** Streams go by RTMPS to those who listen for it. */
  readonly relayTls: boolean;
  readonly log: Logger;
}): ClusterFacts {
  const { nodes, gone, live, claims, wants, tickets, relayTls, log } = parts;
  return {
    self: nodes.self.id,
    get reachesEtcd() {
      return nodes.leaseId !== undefined;
    },
    nodes: () => nodes.all.map((node) => placeable(node, relayTls)),
    goneNode: (id) => {
      const node = gone.get(id);
      return node === undefined ? undefined : placeable(node, relayTls);
    },
    holderOf: (camera) => live.all.get(camera),
    epochOf: (camera) => claims.epochOf(camera),
    liveCameras: () => live.all.keys(),
    viewersOf: (camera) => wants.of(camera),
    onNodes: (listener) => nodes.onChange(listener),
    onCamera: (listener) => {
      live.onChange(listener);
      wants.onChange(listener);
    },
    tellUnreachable: (cannotReach) => {
      const told = [...cannotReach].sort().slice(0, maxTold);
      nodes.tell({ cannotReach: told }).catch((error: unknown) => {
        log.debug('which nodes cannot be reached could not be told', { error: messageOf(error) });
      });
    },
    want: (camera, isWanted) => wants.want(camera, isWanted),
    ticketFor: (camera, to, origin) => tickets.issue(camera, to, origin),
    checkTicket: (camera, ticket) => tickets.check(camera, ticket),
  };
}

function placeable(
  { id, location, rtmp, rtmps, relays, isDraining, capacity, cannotReach = [] }: ClusterNode,
  relayTls: boolean,
): PlaceableNode {
  return {
    ...{ id, location, cannotReach },
    url: relayTls && rtmps !== undefined ? rtmps : rtmp,
    weight: weightOf(capacity),
    takesRelays: relays === relayVersion && isDraining !== true,
  };
}
