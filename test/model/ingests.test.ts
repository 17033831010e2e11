import { describe, expect, it } from 'vitest';
import { codeOf } from '../../src/errors.js';
import { addCamera, changeCamera, declareCamera } from '../../src/model/cameras.js';
import { changesBetween } from '../../src/model/changes.js';
import { decodeState } from '../../src/model/document/decode.js';
import { encodeState } from '../../src/model/document/encode.js';
import type { StandbyInput } from '../../src/model/ingests.js';
import { keysOf, rotateKeys, withNewKey } from '../../src/model/keys.js';
import { type DesiredState, emptyState } from '../../src/model/model.js';
import { checkChange } from '../../src/model/state-rules.js';

const at = '2026-01-01T00:00:00.000Z';
const limits = { maxCameras: 9, maxEngines: 9, maxPushesPerCamera: 9 };
const gate = (input: StandbyInput, state: DesiredState = emptyState) =>
  declareCamera(state, { name: 'gate', ...input }, at, 9);
const cameraOf = (state: DesiredState) => state.cameras.get('gate')!;
const refusal = (act: () => unknown) => {
  try {
    act();
    return 'taken';
  } catch (error) {
    return codeOf(error);
  }
};

const wrong: [string, StandbyInput, string][] = [
  ['a name twice', { ingests: ['main', 'main'] }, 'INVALID_REQUEST'],
  ['a name twice, in two forms', { ingests: ['a', { name: 'a' }] }, 'INVALID_REQUEST'],
  ['no name', { ingests: ['a b'] }, 'INVALID_NAME'],
  ['a name that stands for a slate', { ingests: ['main', 'slate'] }, 'INVALID_NAME'],
  ['a time for no slate', { slateSeconds: 5 }, 'INVALID_REQUEST'],
];

describe('the ingests of a camera', () => {
  it.each(wrong)('are refused at every door: %s', (_what, input, code) => {
    const state = gate({});
    expect(refusal(() => gate(input))).toBe(code);
    expect(refusal(() => addCamera(emptyState, { name: 'gate', ...input }, at, 9))).toBe(code);
    expect(refusal(() => changeCamera(state, 'gate', input))).toBe(code);
    const text = JSON.stringify({ version: 1, cameras: { gate: input } });
    expect(refusal(() => decodeState(text, emptyState, at))).toBe('STATE_INVALID');
  });

  it.each<[StandbyInput]>([
    [{ ingests: ['main', { name: 'backup' }] }],
    [{ ingests: ['constructor', 'b'], switchBackSeconds: 30 }],
    [{ slate: 'built-in', slateSeconds: 5 }],
    [{ ingests: ['only'], slate: 'sorry.flv' }],
  ])('are in the file as they were declared: %j', (input) => {
    const state = gate(input);
    expect(cameraOf(decodeState(encodeState(state), emptyState, at))).toEqual(cameraOf(state));
    // A second reading takes over what is the same.
    expect(cameraOf(decodeState(encodeState(state), state, at))).toBe(cameraOf(state));
    expect(changesBetween(state, gate(input, state))).toEqual([]);
  });

  it('may be written as names alone by hand', () => {
    const text = '{"version": 1, "cameras": {"gate": {"ingests": ["main", {"name": "backup"}]}}}';
    expect(cameraOf(decodeState(text, emptyState, at)).ingests).toEqual([{ name: 'main' }, { name: 'backup' }]);
  });

  it('stay where a change does not name them, and go where null stands', () => {
    const state = gate({ ingests: ['main', 'backup'], switchBackSeconds: 30, slate: 'built-in', slateSeconds: 5 });
    expect(cameraOf(changeCamera(state, 'gate', { type: '360' }))).toMatchObject({
      slate: 'built-in',
      slateSeconds: 5,
    });
    const without = cameraOf(changeCamera(state, 'gate', { slate: null, ingests: null }));
    expect(without).toEqual({ name: 'gate', switchBackSeconds: 30, createdAt: at, pushes: without.pushes });
    expect(cameraOf(gate({}, state)).ingests).toBeUndefined();
  });

  it('are nothing that a content manager that registers the camera again contradicts', () => {
    const state = gate({ ingests: ['main', 'backup'] });
    expect(addCamera(state, { name: 'gate' }, at, 9)).toBe(state);
    expect(addCamera(state, { name: 'gate', ingests: ['main', 'backup'] }, at, 9)).toBe(state);
    expect(refusal(() => addCamera(state, { name: 'gate', ingests: ['main'] }, at, 9))).toBe('CAMERA_CONFLICT');
  });

  it('keep their keys when the list changes, and get one of their own when they are new', () => {
    const first = withNewKey(emptyState, gate({ ingests: ['main', 'backup'] }), 'gate', 'one');
    expect([keysOf(cameraOf(first)), keysOf(cameraOf(first), 'backup')]).toEqual([[{ id: 'one' }], [{ id: 'one' }]]);
    const turned = gate({ ingests: ['backup', 'spare', 'main'] }, first);
    const second = withNewKey(first, turned, 'gate', 'two');
    expect(cameraOf(second).ingests).toEqual([
      { name: 'backup', keys: [{ id: 'one' }] },
      { name: 'spare', keys: [{ id: 'two' }] },
      { name: 'main' },
    ]);
    const rotated = rotateKeys(second, 'gate', { key: { id: 'three' }, ingest: 'spare' }, 0);
    expect(keysOf(cameraOf(rotated), 'spare')).toEqual([{ id: 'three' }]);
    expect(keysOf(cameraOf(rotated))).toEqual([{ id: 'one' }]);
    expect(refusal(() => rotateKeys(second, 'gate', { key: { id: 'x' }, ingest: 'nobody' }, 0))).toBe(
      'INGEST_NOT_FOUND',
    );
    expect(cameraOf(decodeState(encodeState(rotated), emptyState, at))).toEqual(cameraOf(rotated));
  });

  it.each<[StandbyInput, string]>([
    [{ ingests: ['main', 'backup'] }, 'STATE_INVALID'],
    [{ slate: 'built-in' }, 'STATE_INVALID'],
    [{ ingests: ['other'] }, 'STATE_INVALID'],
    [{ ingests: ['main'] }, 'taken'],
    [{}, 'taken'],
  ])('are refused by hand too where the backend has but one: %j', (input, code) => {
    const after = gate(input);
    expect(refusal(() => checkChange(emptyState, after, { ...limits, withoutStandby: 'nginx' }))).toBe(code);
    expect(refusal(() => checkChange(emptyState, after, limits))).toBe('taken');
    // What was there before is not held against an edit.
    expect(
      refusal(() =>
        checkChange(after, changeCamera(after, 'gate', { type: '360' }), { ...limits, withoutStandby: 'nginx' }),
      ),
    ).toBe('taken');
  });
});
