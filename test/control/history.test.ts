import { expect, it } from 'vitest';
import type { CameraSnapshot } from '../../src/backend/backend.js';
import { History } from '../../src/control/history.js';
import { cameraSnapshot, pushSnapshot } from './fake-backend.js';

const setup = (maxBytes = 1e9) => {
  const live = new Set<string>();
  const seen = new Map<string, CameraSnapshot>();
  const history = new History({ backend: { camera: (name) => seen.get(name) }, live, maxBytes });
  const show = (facts: Partial<CameraSnapshot> & { name: string }): void => {
    live.add(facts.name);
    seen.set(facts.name, cameraSnapshot(facts));
  };
  return { history, live, show };
};

/** Step `n`. */
const at = (step: number): number => 1_800_000_000_000 + step * 5000 + 700;

it('has a point for each step, null where nothing was seen, and dropped frames by step', async () => {
  const { history, live, show } = setup();
  const dropped = [10, 10, 13, 2];
  for (const [step, frames] of dropped.entries()) {
    show({
      name: 'gate',
      bitrateInBps: 100 + step,
      pushes: [pushSnapshot({ id: 'p', droppedFrames: frames, roundTripMs: null })],
    });
    await history.look(at(step));
  }
  live.delete('gate');
  await history.look(at(4));
  live.add('gate');
  await history.look(at(6));
  const seen = history.of('gate', 40, at(6));
  expect(seen?.from).toBe(new Date(at(-1) - 700).toISOString());
  expect(seen?.camera.bitrateInBps).toEqual([null, 100, 101, 102, 103, null, null, 103]);
  expect(seen?.pushes.p?.droppedFrames).toEqual([null, 0, 0, 3, 2, null, null, 0]);
  expect(seen?.pushes.p?.roundTripMs).toEqual(new Array(8).fill(null));
  expect(history.of('gate', 3600, at(6))?.camera.viewers.length).toBe(720);
  expect(history.of('nobody', 60, at(6))).toBeUndefined();
});

it('goes round: after an hour nothing old is left, neither where nothing was written since', async () => {
  const { history, live, show } = setup();
  show({ name: 'gate', bitrateInBps: 1 });
  for (let step = 0; step < 3; step++) await history.look(at(step));
  live.delete('gate');
  show({ name: 'gate', bitrateInBps: 2 });
  await history.look(at(719));
  expect(history.of('gate', 3600, at(719))?.camera.bitrateInBps.filter((point) => point !== null)).toEqual([
    1, 1, 1, 2,
  ]);
  await history.look(at(721));
  const points = history.of('gate', 3600, at(721))?.camera.bitrateInBps ?? [];
  expect([points[0], points[1], points.at(-1), points.at(-2), points.at(-3)]).toEqual([1, null, 2, null, 2]);
  live.delete('gate');
  await history.look(at(721 + 720));
  expect(history.of('gate', 3600, at(721 + 720))).toBeUndefined();
  expect(history.bytes).toBe(0);
});

it('grows to an hour step by step, and then goes round', async () => {
  const { history, show } = setup();
  for (let step = 100; step < 100 + 900; step++) {
    show({ name: 'gate', bitrateInBps: step % 201, pushes: [pushSnapshot({ id: 'p', queueBytes: step % 199 })] });
    await history.look(at(step));
    if (step % 59 !== 0) continue;
    const hour = Array.from({ length: 720 }, (_, i) => step - 719 + i);
    const seen = history.of('gate', 3600, at(step));
    expect(seen?.camera.bitrateInBps).toEqual(hour.map((each) => (each < 100 ? null : each % 201)));
    expect(seen?.pushes.p?.queueBytes).toEqual(hour.map((each) => (each < 100 ? null : each % 199)));
  }
});

it('keeps within its budget: cameras that are not live make room, and what does not fit is not begun', async () => {
  const ofCamera = 4 * 720 * 2;
  const { history, live, show } = setup(ofCamera * 2);
  show({ name: 'a' });
  show({ name: 'b' });
  show({ name: 'c' });
  await history.look(at(0));
  expect(['a', 'b', 'c'].map((name) => history.of(name, 60, at(0)) !== undefined)).toEqual([true, true, false]);
  live.delete('a');
  await history.look(at(1));
  expect(['a', 'b', 'c'].map((name) => history.of(name, 60, at(1)) !== undefined)).toEqual([false, true, true]);
  expect(history.bytes).toBe(ofCamera * 2);
  show({ name: 'b', pushes: [pushSnapshot({ id: 'p' })] });
  await history.look(at(2));
  expect(history.of('b', 60, at(2))?.pushes).toEqual({});
  history.forget('b');
  history.forget('c');
  expect(history.bytes).toBe(0);
});

it('remembers pushes by any name, and forgets them', async () => {
  const { history, show } = setup();
  show({ name: 'gate', pushes: [pushSnapshot({ id: 'constructor' }), pushSnapshot({ id: '__proto__' })] });
  await history.look(at(0));
  expect(Object.keys(history.of('gate', 5, at(0))?.pushes ?? {}).sort()).toEqual(['__proto__', 'constructor']);
  const before = history.bytes;
  history.forgetPush('gate', '__proto__');
  expect(before - history.bytes).toBe(5 * 720 * 2);
});
