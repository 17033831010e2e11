import { expect, it } from 'vitest';
import { joinColumns } from '../../src/api/v1/cluster-history.js';
import type { PushColumns } from '../../src/control/history.js';

const columns = (bitrateBps: (number | null)[], droppedFrames: (number | null)[]): PushColumns => {
  const rest = bitrateBps.map(() => null);
  return { bitrateBps, queueBytes: rest, queueAgeMs: rest, roundTripMs: rest, droppedFrames };
};

it('takes the points of the node that sent the push at the time, where the columns begin at different times', () => {
  const own = columns([100, 100, 0, 0], [0, 1, 0, 0]);
  // Theirs begin two steps later: before, the camera's node sent itself.
  const joined = joinColumns(own, columns([200, 201], [5, 6]), 2);
  expect(joined.bitrateBps).toEqual([100, 100, 200, 201]);
  expect(joined.droppedFrames).toEqual([0, 1, 5, 6]);
});
