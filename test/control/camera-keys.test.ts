import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { StreamKeys } from '../../src/admission/stream-keys.js';
import { currentKey, keyChange, keyRules, newKeyId } from '../../src/control/camera-keys.js';
import { addCamera, getCamera, removeCamera } from '../../src/model/cameras.js';
import { rotateKeys, withNewKey } from '../../src/model/keys.js';
import { type DesiredState, emptyState } from '../../src/model/model.js';

const keys = new StreamKeys(randomBytes(32));
const nowMs = Date.parse('2026-01-01T00:00:00Z');
const now = new Date(nowMs).toISOString();
const registered = (before: DesiredState = emptyState): DesiredState =>
  withNewKey(before, addCamera(before, { name: 'gate' }, now, 10), 'gate', newKeyId());
const gate = (state: DesiredState) => getCamera(state, 'gate');
const takes = (state: DesiredState, key: string, atMs = nowMs): boolean =>
  keys.isPublishKey('gate', key, keyRules(gate(state), keys), atMs);
const rotate = (state: DesiredState, rotation: { key?: string; overlapSeconds?: number }, atMs = nowMs): DesiredState =>
  rotateKeys(state, 'gate', keyChange('gate', rotation, keys), atMs);

describe('the keys of a camera', () => {
  test('of before, or of a file, are there too; one that is registered anew has another', () => {
    const old = addCamera(emptyState, { name: 'gate' }, now, 10);
    const first = currentKey(gate(old), keys) ?? '';
    expect(takes(old, first)).toBe(true);
    const one = currentKey(gate(registered()), keys) ?? '';
    const again = registered(removeCamera(registered(), 'gate'));
    expect(new Set([first, one, currentKey(gate(again), keys)]).size).toBe(3);
    expect(takes(again, one)).toBe(false);
    expect(takes(again, first)).toBe(false);
  });

  test('rotate: without overlap at once, with one until it ends, and not longer by rotating again', () => {
    const state = registered();
    const one = currentKey(gate(state), keys) ?? '';
    const sharp = rotate(state, {});
    expect(takes(sharp, one)).toBe(false);
    const soft = rotate(state, { overlapSeconds: 60 });
    const two = currentKey(gate(soft), keys) ?? '';
    expect([takes(soft, one), takes(soft, two), takes(soft, one, nowMs + 60_000)]).toEqual([true, true, false]);
    const third = rotate(soft, { overlapSeconds: 3600 }, nowMs + 30_000);
    expect([takes(third, one, nowMs + 59_000), takes(third, one, nowMs + 60_000)]).toEqual([true, false]);
    expect(takes(third, two, nowMs + 3_600_000)).toBe(true);
  });

  test('that somebody chose are not told again, not stored, and do not come back after they ended', () => {
    const chosen = rotate(registered(), { key: 'my-own-key-1' });
    expect(currentKey(gate(chosen), keys)).toBeUndefined();
    expect(takes(chosen, 'my-own-key-1')).toBe(true);
    expect(JSON.stringify(gate(chosen))).not.toContain('my-own-key-1');
    // The same again is the same; others end.
    const same = rotate(chosen, { key: 'my-own-key-1', overlapSeconds: 60 });
    expect(gate(same).keys).toEqual(gate(chosen).keys);
    const next = rotate(chosen, { key: 'my-own-key-2', overlapSeconds: 60 });
    expect(() => rotate(next, { key: 'my-own-key-1', overlapSeconds: 60 })).toThrow('replaced');
  });

  test('are a few at most, however often they rotate', () => {
    let state = registered();
    for (let i = 0; i < 30; i++) state = rotate(state, { overlapSeconds: 3600 });
    expect(gate(state).keys?.length).toBe(8);
  });
});
