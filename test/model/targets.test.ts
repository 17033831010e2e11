import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseRtmpUrl } from '../../src/address/rtmp-url.js';
import type { Camera, Push } from '../../src/model/model.js';
import { newlyShared, TargetMatch, targetKey } from '../../src/model/targets.js';

const camera: Camera = { name: 'gate', type: 'plane', createdAt: '2026-01-01T00:00:00.000Z', pushes: {} };
const push = (id: string, url: string): Push => ({ id, url, enabled: true, createdAt: camera.createdAt });
const withPushes = (...pushes: Push[]): Camera => ({
  ...camera,
  pushes: Object.fromEntries(pushes.map((each) => [each.id, each])),
});
const engines = new Map();

/** URLs of a few parts, so that many mean the same target in another spelling. */
const urls = fc
  .tuple(
    fc.constantFrom('rtmp://', 'RTMP://', 'rtmps://'),
    fc.constantFrom('', 'user@', 'a:b@'),
    fc.constantFrom('host', 'HOST', 'host.', 'other', '10.0.0.1', '[::1]', '[0:0::1]', 'hoſt', 'hos\u212a'),
    fc.constantFrom('', ':1935', ':443', ':1'),
    fc.constantFrom('/live', '//live', '/live/', '/live//', '/live/inst', '/mp4:x'),
    fc.constantFrom('', '/', '/key', '//key', '/key/', '/KEY', '/a/key', '/mp4:a/key'),
    fc.constantFrom('', '?', '?a=b', '?a=b/key', '?/key'),
  )
  .map((parts) => parts.join(''))
  .filter((url) => {
    try {
      parseRtmpUrl(url);
      return true;
    } catch {
      return false;
    }
  });

describe('a target among the pushes of a camera', () => {
  test('is found in every spelling, and no other one is', () => {
    fc.assert(
      fc.property(urls, urls, (wanted, other) => {
        const isSame = targetKey(wanted) === targetKey(other);
        expect(new TargetMatch(wanted).isOf(engines, camera, push('p', other))).toBe(isSame);
      }),
      { numRuns: 3000 },
    );
  });

  test('two pushes that a change brings together are found as by comparing all', () => {
    const before = withPushes(push('a', 'rtmp://h/live/1'), push('b', 'rtmp://h/live/2'), push('c', 'rtmp://h/live/3'));
    const shared = (after: Camera) => newlyShared({ camera: before, engines }, { camera: after, engines });
    expect(shared(before)).toBeUndefined();
    expect(shared(withPushes(...Object.values(before.pushes), push('d', 'rtmp://H:1935/live//2')))).toEqual(['b', 'd']);
    expect(shared(withPushes(...Object.values(before.pushes), push('d', 'rtmp://h/live/4')))).toBeUndefined();
    // What was together stays so.
    const together = withPushes(push('a', 'rtmp://h/live/1'), push('b', 'rtmp://h/live/1'));
    const more = withPushes(...Object.values(together.pushes), push('c', 'rtmp://h/live/3'));
    expect(newlyShared({ camera: together, engines }, { camera: more, engines })).toBeUndefined();
  });
});
