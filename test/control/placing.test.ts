import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { RelayOrigin, RelayPartner } from '../../src/backend/backend.js';
import type { ClusterFacts, PlaceableNode } from '../../src/control/cluster-facts.js';
import { Placing } from '../../src/control/placing.js';
import { silentLogger } from '../../src/log/log.js';
import type { Camera, DesiredState } from '../../src/model/model.js';

const nodeOf = (id: string, location: string): PlaceableNode => ({
  ...{ id, location, url: `rtmp://${id}:1935`, takesRelays: true, cannotReach: [] },
});
const camera = {
  name: 'gate',
  pushes: { out: { id: 'out', enabled: true, url: 'rtmp://engine/live/gate', via: 'paris' } },
} as unknown as Camera;
const state = { cameras: new Map([['gate', camera]]), engines: new Map() } as unknown as DesiredState;

/** The node c in paris, of which the camera's node a in berlin is not in the list any more. */
function gatewayWithout(gone: PlaceableNode | undefined) {
  const facts: ClusterFacts = {
    self: 'c',
    reachesEtcd: true,
    nodes: () => [nodeOf('c', 'paris')],
    goneNode: (id) => (id === gone?.id ? gone : undefined),
    holderOf: () => undefined,
    epochOf: () => 0,
    liveCameras: () => [],
    viewersOf: () => [],
    onNodes: () => undefined,
    onCamera: () => undefined,
    tellUnreachable: () => undefined,
    want: () => undefined,
    ticketFor: () => '',
    checkTicket: () => ({ from: 'a', owner: 'a', epoch: 3 }),
  };
  let partner: RelayPartner | undefined;
  const placing = new Placing({
    facts,
    relaying: {
      relayWith: (given) => {
        partner = given;
      },
      probeNode: async () => true,
      silentRelayMs: () => 0,
      endRelay: () => undefined,
    },
    state: () => state,
    redeclare: () => undefined,
    returnMs: 1000,
    log: silentLogger,
  });
  const origin: RelayOrigin = { from: 'a', owner: 'a', epoch: 3 };
  return { placing, relay: () => partner?.relayChanged('gate', origin) };
}

// The camera's node had lost only its way to etcd, and sent its stream anew: nobody pushed, since each took the other for it.
test('a gateway that gets the stream of a node that left the list runs the pushes, by where that node was', async () => {
  const { placing, relay } = gatewayWithout(nodeOf('a', 'berlin'));
  expect(placing.whereaboutsOf(camera).at('out')).toBeUndefined();
  relay();
  await turn();
  expect(placing.whereaboutsOf(camera).at('out')).toBe('here');
  placing.close();
});
