import { describe, expect, test } from 'vitest';
import { RisingTimes } from '../../src/pull/rising-times.js';

const [audio, video] = [8, 9];

describe('times of what is pulled', () => {
  test('pass as they are where they go up', () => {
    const times = new RisingTimes();
    expect([0, 40, 80, 5000].map((ms, index) => times.map(video, ms, index * 40))).toEqual([0, 40, 80, 5000]);
    expect(times.repairs).toEqual({ resets: 0, backwards: 0 });
  });

  test('a frame that comes before the one ahead of it gets the time of that', () => {
    const times = new RisingTimes();
    expect([100, 180, 140, 220].map((ms) => times.map(video, ms, ms))).toEqual([100, 180, 180, 220]);
    expect(times.repairs.backwards).toBe(1);
  });

  test('sound and picture may be apart, each in its order', () => {
    const times = new RisingTimes();
    expect([times.map(video, 1000, 0), times.map(audio, 400, 1), times.map(video, 1040, 2)]).toEqual([1000, 400, 1040]);
    expect(times.repairs).toEqual({ resets: 0, backwards: 0 });
  });

  test('a clock that begins anew goes on behind the last, sound and picture by the same amount', () => {
    const times = new RisingTimes();
    times.map(video, 900_000, 10_000);
    times.map(audio, 900_010, 10_010);
    expect(times.map(video, 0, 10_050)).toBe(900_050);
    expect(times.map(audio, 5, 10_055)).toBe(900_055);
    expect(times.map(video, 40, 10_090)).toBe(900_090);
    expect(times.repairs.resets).toBe(1);
  });

  test('a clock that leaps ahead by years does too, and a pause of an hour does not count', () => {
    const times = new RisingTimes();
    times.map(video, 1000, 1000);
    expect(times.map(video, 1_700_000_000, 1040)).toBe(1040);
    expect(times.map(video, 1_703_600_000, 3_601_040)).toBe(3_601_040);
    expect(times.repairs.resets).toBe(1);
  });

  test('times that wrap at 2^32 go on', () => {
    const times = new RisingTimes();
    expect([0xffffffd8, 0, 40].map((ms, index) => times.map(video, ms, index * 40))).toEqual([0xffffffd8, 0, 40]);
    expect(times.repairs).toEqual({ resets: 0, backwards: 0 });
  });
});
