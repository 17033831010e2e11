import { expect, it } from 'vitest';
import type { CameraView } from '../../web/src/api/types.js';
import { buildTree } from '../../web/src/pages/map/tree.js';

it('a camera in trouble that sends nothing is not drawn as one that does', () => {
  const down = {
    name: 'yard',
    live: false,
    lastLive: null,
    pushes: [],
    bitrateInBps: null,
    conditions: [{ code: 'SOURCE_DOWN', severity: 'error', since: '2030-01-01T00:00:00Z', message: 'gone' }],
  } as unknown as CameraView;
  const bad = { ...down, name: 'gate', live: true, bitrateInBps: 5000 };
  const rows = buildTree([down, bad], 0, 40).sources.map(({ label, health, live }) => ({ label, health, live }));
  expect(rows).toEqual([
    { label: 'gate', health: 'trouble', live: true },
    { label: 'yard', health: 'trouble', live: false },
  ]);
});
