import { afterEach, describe, expect, it, vi } from 'vitest';
import { CodedError } from '../../src/errors.js';
import { startControl, type TestControl } from './harness.js';

const running: TestControl[] = [];

async function start() {
  const test = await startControl();
  running.push(test);
  return test;
}

/** Has the backend fail on this camera, in one of the ways it may, until `heal` is called. */
function failOn(test: TestControl, camera: string, how: 'throws' | 'rejects') {
  let isFailing = true;
  const { backend } = test;
  const real = backend.setCamera.bind(backend);
  const calls: string[] = [];
  vi.spyOn(backend, 'setCamera').mockImplementation((desired) => {
    calls.push(desired.name);
    if (!isFailing || desired.name !== camera) return real(desired);
    const error = new CodedError('WORKER_DOWN', 'its worker is ill');
    if (how === 'throws') throw error;
    return Promise.reject(error);
  });
  return {
    calls,
    heal: () => {
      isFailing = false;
    },
  };
}

afterEach(async () => {
  for (const test of running.splice(0)) await test.close();
});

describe.each(['throws', 'rejects'] as const)('a backend that %s on a camera', (how) => {
  it('is asked again until the camera is in force; meanwhile it is a problem, and others are not held up', async () => {
    const test = await start();
    const { control, backend } = test;
    const fault = failOn(test, 'ill', how);
    // What is declared is committed, and answered.
    await control.cameras.add({ name: 'ill' }, undefined);
    await control.cameras.add({ name: 'well' }, undefined);
    expect([...backend.cameras.keys()]).toEqual(['well']);
    expect(control.node.problems).toMatchObject([
      { code: 'CAMERA_NOT_APPLIED', message: expect.stringMatching(/camera "ill".*its worker is ill.*tried again/) },
    ]);
    // It fails once more by itself, and stays one problem since then.
    const [{ since } = { since: '' }] = control.node.problems;
    await vi.waitFor(() => expect(fault.calls.filter((name) => name === 'ill').length).toBeGreaterThan(1), 20_000);
    expect(control.node.problems).toMatchObject([{ since }]);
    fault.heal();
    await vi.waitFor(() => expect([...backend.cameras.keys()].sort()).toEqual(['ill', 'well']), 20_000);
    expect(control.node.problems).toEqual([]);
    expect(fault.calls.filter((name) => name === 'well')).toHaveLength(1);
  });

  it('is not asked again for a camera that was removed', async () => {
    const test = await start();
    const { control, backend } = test;
    failOn(test, 'ill', how);
    await control.cameras.add({ name: 'ill' }, undefined);
    expect(control.node.problems).toHaveLength(1);
    await control.cameras.remove('ill');
    expect(control.node.problems).toEqual([]);
    expect(backend.calls).toEqual(['remove ill']);
  });
});

it('names ten cameras and sums up the others when the backend fails on all', async () => {
  const { control, backend } = await start();
  vi.spyOn(backend, 'setCamera').mockImplementation(() => {
    throw new Error('no');
  });
  for (let index = 0; index < 12; index++) await control.cameras.add({ name: `c${index}` }, undefined);
  expect(control.node.problems).toHaveLength(11);
});

it('a problem that the backend tells of by itself is not told twice', async () => {
  const test = await start();
  failOn(test, 'ill', 'throws');
  test.backend.seenProblems = [{ code: 'WORKER_DOWN', message: 'worker 1 is ill', since: '2026-01-01T00:00:00.000Z' }];
  await test.control.cameras.add({ name: 'ill' }, undefined);
  expect(test.control.node.problems).toMatchObject([{ code: 'WORKER_DOWN' }]);
});

it('an answer waits for its own camera only, and not for longer than the backend says', async () => {
  const { control, backend } = await start();
  backend.answerWaitMs = 200;
  let done: () => void = () => {};
  vi.spyOn(backend, 'setCamera').mockImplementation(({ name }) => {
    if (name !== 'slow') return;
    return new Promise((resolve) => {
      done = resolve;
    });
  });
  const slow = control.cameras.add({ name: 'slow' }, undefined);
  const order: string[] = [];
  void slow.then(() => order.push('slow'));
  await vi.waitFor(() => expect(backend.setCamera).toHaveBeenCalled(), 20_000);
  await control.cameras.add({ name: 'quick' }, undefined).then(() => order.push('quick'));
  expect(order).toEqual(['quick']);
  await slow;
  expect(control.node.problems).toEqual([]);
  // It is not answered before the backend is done, where that is in time.
  backend.answerWaitMs = 20_000;
  const again = control.cameras.change('slow', { type: '360' }, undefined).then(() => order.push('again'));
  await vi.waitFor(() => expect(backend.setCamera).toHaveBeenCalledTimes(3), 20_000);
  expect(order).toEqual(['quick', 'slow']);
  done();
  await again;
});
