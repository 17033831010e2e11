import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type PlacedNode, PlacedNodes } from '../../src/placement/nodes.js';
import { type CameraPlan, hopsFrom, type PlacedCamera, placeCamera } from '../../src/placement/placement.js';

import { weightOf } from '../../src/placement/weight.js';

const places = ['berlin', 'paris', 'rome'] as const;
const ids = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'] as const;

const node = (id: string) =>
  fc.record({
    id: fc.constant(id),
    location: fc.option(fc.constantFrom(...places), { nil: undefined }),
    takesRelays: fc.boolean(),
    weight: fc.constantFrom(undefined, 1, 2.5),
    cannotReach: fc.option(
      fc.subarray([...ids]).map((list) => new Set(list.filter((other) => other !== id))),
      { nil: undefined },
    ),
  });
const cluster: fc.Arbitrary<PlacedNode[]> = fc
  .subarray([...ids], { minLength: 1 })
  .chain((some) => fc.tuple(...some.map(node)));
const pushes = fc.uniqueArray(
  fc.record({
    id: fc.stringMatching(/^p-[0-9a-f]{4}$/),
    location: fc.option(fc.constantFrom(...places, 'nowhere'), { nil: undefined }),
    via: fc.option(fc.constantFrom(...places, 'direct'), { nil: undefined }),
  }),
  { selector: ({ id }) => id, maxLength: 8 },
);
const camera: fc.Arbitrary<PlacedCamera> = fc.record({
  name: fc.stringMatching(/^[a-z]{1,8}$/),
  owner: fc.constantFrom(...ids),
  pushes,
  viewers: fc.subarray([...ids]),
  avoid: fc.option(fc.subarray([...ids]), { nil: undefined }),
});

/** The nodes that have the stream, in the order in which it gets there; throws where that is no tree. */
function reached({ owner, hops }: CameraPlan): string[] {
  const order = [owner];
  let open = [...hops];
  while (open.length > 0) {
    const next = open.filter(({ from }) => order.includes(from));
    if (next.length === 0) throw new Error(`nobody feeds ${JSON.stringify(open)}`);
    for (const { to } of next) {
      if (order.includes(to)) throw new Error(`${to} gets the stream twice`);
      order.push(to);
    }
    open = open.filter((hop) => !next.includes(hop));
  }
  return order;
}

describe('placement', () => {
  test('a node without room is passed over while its place has another one, and states its share', () => {
    const nodes = new PlacedNodes(
      ['p1', 'p2', 'p3'].map((id) => ({ id, location: 'paris', takesRelays: true, weight: 1 })),
    );
    const first = nodes.gatewayOf('paris', 'gate') ?? '';
    const second = nodes.gatewayOf('paris', 'gate', [first]) ?? '';
    expect(second).not.toBe(first);
    expect(['p1', 'p2', 'p3']).toContain(second);
    // With none left it is asked again as if nobody were full.
    expect(nodes.gatewayOf('paris', 'gate', ['p1', 'p2', 'p3'])).toBe(first);
    expect([weightOf(), weightOf({ outMbps: 2500 }), weightOf({ cameras: 50 })]).toEqual([1, 2.5, 0.5]);
    expect(weightOf({ outMbps: 2500, cameras: 50 })).toBe(0.5);
  });

  test('a place is the same however it is written, as for engines and cameras', () => {
    const nodes = new PlacedNodes([
      { id: 'a', location: 'Berlin', takesRelays: true },
      { id: 'b', location: 'berlin', takesRelays: true },
      { id: 'c', location: 'PARIS', takesRelays: true },
    ]);
    const pushes = [
      { id: 'home', location: 'BERLIN' },
      { id: 'away', location: 'paris' },
    ];
    const plan = placeCamera({ name: 'gate', owner: 'a', pushes, viewers: ['b'] }, nodes);
    expect([...plan.elsewhere]).toEqual([['away', 'c']]);
    expect(plan.hops).toEqual([
      { from: 'a', to: 'c' },
      { from: 'a', to: 'b' },
    ]);
  });

  test('the stream reaches every node that runs a push or has viewers, once and without loops', () => {
    fc.assert(
      fc.property(cluster, camera, (nodes, live) => {
        const plan = placeCamera(live, new PlacedNodes(nodes));
        const order = reached(plan);
        for (const at of plan.elsewhere.values()) expect(order).toContain(at);
        for (const viewer of live.viewers ?? []) expect(order).toContain(viewer);
        // A push runs at one node, and only those of the camera run.
        const known = live.pushes.map(({ id }) => id);
        for (const [id, at] of plan.elsewhere) {
          expect(known).toContain(id);
          expect(at).not.toBe(live.owner);
        }
      }),
      { numRuns: 2000 },
    );
  });

  test('at most one copy crosses into another place, while its gateway can be reached', () => {
    fc.assert(
      fc.property(cluster, camera, (nodes, live) => {
        const reachable = nodes.map((each) => ({ ...each, cannotReach: undefined }));
        const placed = new PlacedNodes(reachable);
        const plan = placeCamera(live, placed);
        const home = placed.get(live.owner)?.location;
        for (const place of places) {
          if (place === home || placed.gatewayOf(place, live.name, live.avoid) === undefined) continue;
          const crossing = plan.hops.filter(
            ({ from, to }) => placed.get(to)?.location === place && placed.get(from)?.location !== place,
          );
          expect(crossing.length).toBeLessThanOrEqual(1);
        }
      }),
      { numRuns: 2000 },
    );
  });

  test('a push runs in the place of its target or of its way, and nodes that take no streams get none', () => {
    fc.assert(
      fc.property(cluster, camera, (nodes, live) => {
        const placed = new PlacedNodes(nodes);
        const home = placed.get(live.owner);
        const { elsewhere } = placeCamera(live, placed);
        for (const { id, location, via = location } of live.pushes) {
          const at = elsewhere.get(id);
          const gateway = via === undefined ? undefined : placed.gatewayOf(via, live.name, live.avoid);
          const mayGo = via !== undefined && via !== 'direct' && home?.location !== undefined && via !== home.location;
          if (!mayGo || gateway === undefined || home.cannotReach?.has(gateway)) expect(at).toBeUndefined();
          else expect(at).toBe(gateway === live.owner ? undefined : gateway);
          if (at === undefined) continue;
          expect(placed.get(at)?.takesRelays).toBe(true);
          expect(placed.get(at)?.location).toBe(via);
        }
      }),
      { numRuns: 2000 },
    );
  });

  test('a node that comes or goes moves only what it gets or had', () => {
    fc.assert(
      fc.property(cluster, fc.array(camera, { maxLength: 20 }), (nodes, cameras) => {
        const all = new PlacedNodes(nodes);
        const gone = nodes[0];
        const rest = new PlacedNodes(nodes.slice(1));
        for (const live of cameras) {
          if (live.owner === gone?.id) continue;
          const before = placeCamera({ ...live, viewers: [] }, all);
          const after = placeCamera({ ...live, viewers: [] }, rest);
          for (const { id } of live.pushes) {
            const [was, is] = [before.elsewhere.get(id), after.elsewhere.get(id)];
            if (was !== gone?.id && was !== undefined) expect(is).toBe(was);
          }
        }
      }),
      { numRuns: 1000 },
    );
  });

  test('cameras are spread over the nodes of a place by their weight', () => {
    const nodes = new PlacedNodes([
      { id: 'small', location: 'paris', takesRelays: true, weight: 1 },
      { id: 'large', location: 'paris', takesRelays: true, weight: 3 },
    ]);
    const gateways = Array.from({ length: 4000 }, (_, index) => nodes.gatewayOf('paris', `camera-${index}`));
    const share = gateways.filter((id) => id === 'large').length / gateways.length;
    expect(share).toBeGreaterThan(0.71);
    expect(share).toBeLessThan(0.79);
  });

  test('viewers in another place share the copy that its pushes have', () => {
    const nodes = new PlacedNodes([
      { id: 'b1', location: 'berlin', takesRelays: true },
      { id: 'p1', location: 'paris', takesRelays: true },
      { id: 'p2', location: 'paris', takesRelays: true },
    ]);
    const plan = placeCamera(
      { name: 'gate', owner: 'b1', pushes: [{ id: 'out', location: 'paris' }], viewers: ['p1', 'p2'] },
      nodes,
    );
    const gateway = plan.elsewhere.get('out') ?? '';
    const other = gateway === 'p1' ? 'p2' : 'p1';
    expect(plan.hops).toEqual([
      { from: 'b1', to: gateway },
      { from: gateway, to: other },
    ]);
    expect(hopsFrom(plan, gateway)).toEqual([other]);
  });

  test('200 nodes and 10,000 cameras with 30,000 pushes take time that grows with their number only', () => {
    const at = (index: number): string => `place-${index % 50}`;
    const nodes = Array.from({ length: 200 }, (_, index) => ({
      id: `node-${index}`,
      location: at(index),
      takesRelays: true,
    }));
    const cameras = Array.from({ length: 10_000 }, (_, index) => ({
      name: `camera-${index}`,
      owner: `node-${index % 200}`,
      pushes: [1, 2, 3].map((step) => ({ id: `p-${step}`, location: at(index + step * 7) })),
    }));
    const planAll = (some: readonly PlacedCamera[]): number => {
      const startMs = performance.now();
      const placed = new PlacedNodes(nodes);
      for (const live of some) placeCamera(live, placed);
      return performance.now() - startMs;
    };
    planAll(cameras);
    const times = Array.from({ length: 5 }, () => planAll(cameras)).sort((left, right) => left - right);
    console.info(
      `placement of 10,000 cameras: ${times[0]?.toFixed(1)} ms at best, ${times.at(-1)?.toFixed(1)} at worst`,
    );
    // The goal is 100 ms; this machine may be doing ten other things.
    expect(times[0]).toBeLessThan(400);
    expect(cameras.some((live) => placeCamera(live, new PlacedNodes(nodes)).hops.length === 3)).toBe(true);
  });
});
