import { expect, test } from 'vitest';
import { Drain } from '../../src/cluster/drain.js';
import type { ClusterNodes } from '../../src/cluster/nodes.js';
import { silentLogger } from '../../src/log/log.js';

const cameras = { live: () => [], askToReconnect: () => true, letGo: () => undefined };
const drainOf = (
  all: readonly { id: string; isDraining?: boolean; isFull?: boolean }[],
  drained: typeof cameras | null = cameras,
): Drain =>
  new Drain({
    nodes: { self: { id: 'a' }, all } as unknown as ClusterNodes,
    claims: undefined,
    cameras: drained,
    log: silentLogger,
  });

test('a node that ends empties itself only where another one takes its cameras', () => {
  expect(drainOf([{ id: 'a' }, { id: 'b' }]).isOfUse).toBe(true);
  expect(drainOf([{ id: 'a' }]).isOfUse).toBe(false);
  expect(drainOf([{ id: 'a' }, { id: 'b', isDraining: true }]).isOfUse).toBe(false);
  expect(drainOf([{ id: 'a' }, { id: 'b', isFull: true }]).isOfUse).toBe(false);
  expect(drainOf([{ id: 'a' }, { id: 'b' }], null).isOfUse).toBe(false);
});
