import { expect, it } from 'vitest';
import { addCamera } from '../../src/model/cameras.js';
import { declareEngine, declareEngineSteps, type EarlierTry, removeEngine } from '../../src/model/engines.js';
import { type DesiredState, emptyState } from '../../src/model/model.js';
import { addPush } from '../../src/model/pushes.js';

const now = '2026-01-01T00:00:00.000Z';
const engine = { name: 'rome', host: '10.0.0.8', pushUrl: 'rtmp://{host}/{location}/{name}', location: 'it' };
const declare = (state: DesiredState, change: object = {}): DesiredState =>
  declareEngine(state, { ...engine, ...change }, now, 10);

/** A state with cameras that go to the engine, and to where it is in the second case. */
function stateWith(names: readonly string[]): DesiredState {
  let state = declare(emptyState);
  for (const name of names) {
    state = addCamera(state, { name }, now, 100);
    state = addPush(state, name, { id: 'by-engine', engine: 'rome' }, now, 10).state;
    state = addPush(state, name, { id: 'by-url', url: `rtmp://10.0.0.9/it/${name}` }, now, 10).state;
  }
  return state;
}

/** Says so when cameras are looked at. */
function watched(state: DesiredState): DesiredState {
  const cameras = new Map(state.cameras);
  cameras.values = () => {
    throw new Error('looked at');
  };
  return { ...state, cameras };
}

it('looks at cameras where their pushes go elsewhere, and only there', () => {
  const state = watched(stateWith(['a']));
  expect(declare(state, { playbackUrl: 'http://{host}/{name}' }).engines.get('rome')?.playbackUrl).toContain('{name}');
  for (const change of [{ host: '10.0.0.7' }, { location: 'fr' }, { pushUrl: 'rtmp://{host}/x/{name}' }]) {
    expect(() => declare(state, change)).toThrow('looked at');
  }
  const fixed = watched(declare(stateWith(['a']), { pushUrl: 'rtmp://10.0.0.8/live/{name}' }));
  const there = { pushUrl: 'rtmp://10.0.0.8/live/{name}', host: '10.0.0.7', location: 'fr' };
  expect(declare(fixed, there).engines.get('rome')).toMatchObject(there);
});

it('names the cameras that stand against a change in their order', () => {
  const names = ['h', 'c', 'a', 'g', 'b', 'f', 'd', 'e'];
  const state = stateWith(names);
  expect(() => removeEngine(state, 'rome')).toThrow('gets pushes of a, b, c, d, e and 3 more');
  expect(() => declare(state, { host: '10.0.0.9' })).toThrow(/those of a \(by-.* and by-.*\), b .*, e .* and 3 more/);
});

it('a change that others overtook looks only at what they changed, and at all where it may matter', () => {
  const names = Array.from({ length: 100 }, (_, index) => `camera-${index}`);
  const state = stateWith(names);
  /** Steps of a try: few cameras are looked at in each. */
  const stepsOf = (now: DesiredState, earlier: EarlierTry, host: string): number => {
    const steps = declareEngineSteps(now, { ...engine, host }, state.engines.get('rome')!.createdAt, 10, earlier);
    let count = 0;
    while (steps.next().done !== true) count += 1;
    return count;
  };
  const earlier: EarlierTry = {};
  const whole = stepsOf(state, earlier, '10.0.0.7');
  expect(whole).toBeGreaterThan(3);
  const other = addCamera(state, { name: 'other' }, now, 1000);
  expect(stepsOf(other, earlier, '10.0.0.7')).toBe(0);
  const bad = addPush(other, 'camera-7', { id: 'c', url: 'rtmp://10.0.0.7/it/camera-7' }, now, 10).state;
  expect(() => stepsOf(bad, earlier, '10.0.0.7')).toThrow('those of camera-7 (by-engine and c)');
  // Another engine is there meanwhile: pushes of any camera may go elsewhere.
  const moved = declareEngine(other, { name: 'oslo', host: '10.0.0.6' }, now, 10);
  expect(stepsOf(moved, earlier, '10.0.0.7')).toBe(whole);
});
