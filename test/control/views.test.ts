import { expect, it } from 'vitest';
import { pushView } from '../../src/control/views.js';

const camera = { name: 'gate-1', createdAt: '2026-01-01T00:00:00.000Z', pushes: {} };
const url = 'rtmp://192.0.2.1/live/gate-1';

function sinceOf(createdAt: string): string {
  return pushView(camera, { id: 'p-1', url, enabled: true, createdAt }, url, undefined).since;
}

it('a push of which nothing was seen yet is idle since it was made', () => {
  const now = new Date().toISOString();
  expect(sinceOf(now)).toBe(now);
});

it('a push from before this process is idle since that began: of what it did before nothing is known', () => {
  const since = Date.parse(sinceOf('2026-01-01T00:00:00.000Z'));
  expect(since).toBeGreaterThan(Date.now() - 600_000);
  expect(since).toBeLessThanOrEqual(Date.now());
});
