import { describe, expect, test } from 'vitest';
import { Links } from '../../src/control/links.js';

function start(more: { cannotTell?: () => boolean } = {}) {
  const told: string[] = [];
  const links = new Links({
    returnMs: 10_000,
    ...more,
    onLink: (node, isDown) => told.push(`${node} ${isDown ? 'down' : 'up'}`),
    onRefused: (camera, node) => told.push(`${camera} ${links.isRefused(camera, node) ? 'refused' : 'taken'}`),
  });
  return { links, told };
}

describe('whether another node can be reached', () => {
  test('a stream that fails takes it out at once, and it is back when all have been well for a while', () => {
    const { links, told } = start();
    links.note('gate', 'b', 'active', 0);
    links.note('yard', 'b', 'active', 0);
    links.note('gate', 'b', 'failed', 1000);
    expect(told).toEqual(['b down']);
    links.note('gate', 'b', 'connecting', 2000);
    links.tick(2500);
    links.note('gate', 'b', 'active', 3000);
    links.tick(3000);
    links.tick(12_900);
    expect(links.down).toEqual(['b']);
    links.tick(13_000);
    expect(told).toEqual(['b down', 'b up']);
  });

  test('one that is trouble again begins its time anew', () => {
    const { links, told } = start();
    links.note('gate', 'b', 'stalled', 0);
    links.note('gate', 'b', 'active', 100);
    links.tick(100);
    links.note('gate', 'b', 'stalled', 9000);
    links.note('gate', 'b', 'active', 9500);
    links.tick(9500);
    links.tick(12_000);
    expect(told).toEqual(['b down']);
    links.tick(19_500);
    expect(told).toEqual(['b down', 'b up']);
  });

  test('one that never answers is out after a few seconds', () => {
    const { links, told } = start();
    links.note('gate', 'b', 'connecting', 0);
    links.tick(3900);
    expect(told).toEqual([]);
    links.tick(4100);
    expect(told).toEqual(['b down']);
  });

  test('one that refuses a camera takes the others', () => {
    const { links, told } = start();
    links.note('yard', 'b', 'active', 0);
    links.note('gate', 'b', 'refused', 0);
    links.note('gate', 'b', 'connecting', 500);
    links.note('gate', 'b', 'refused', 600);
    expect(told).toEqual(['gate refused']);
    expect(links.down).toEqual([]);
    links.note('gate', 'b', 'active', 1000);
    expect(told).toEqual(['gate refused', 'gate taken']);
  });

  test('one that does not answer twice in a row is out, whatever its streams look like', () => {
    const { links, told } = start();
    links.note('gate', 'b', 'active', 0);
    links.noteAnswer('b', false, 1000);
    links.noteAnswer('b', true, 2000);
    links.noteAnswer('b', false, 3000);
    expect(told).toEqual([]);
    links.noteAnswer('b', false, 4500);
    expect(told).toEqual(['b down']);
    expect(links.isFlowing('b')).toBe(false);
    links.tick(20_000);
    expect(told).toEqual(['b down']);
    links.noteAnswer('b', true, 21_000);
    links.tick(21_000);
    links.tick(31_000);
    expect(told).toEqual(['b down', 'b up']);
  });

  // A gateway that gets a stream runs the pushes, unless it was told that they do not go through it.
  test('where the others cannot be told, a node is in again as soon as its streams are well', () => {
    const { links, told } = start({ cannotTell: () => true });
    links.note('gate', 'b', 'failed', 0);
    links.note('gate', 'b', 'connecting', 100);
    links.tick(500);
    expect(told).toEqual(['b down']);
    links.note('gate', 'b', 'active', 600);
    links.tick(1000);
    expect(told).toEqual(['b down', 'b up']);
  });

  test('a camera that goes is of no concern any more', () => {
    const { links, told } = start();
    links.note('gate', 'b', 'failed', 0);
    links.note('gate', 'b', 'gone', 100);
    links.tick(100);
    links.tick(10_200);
    expect(told).toEqual(['b down', 'b up']);
    expect(links.isFlowing('b')).toBe(false);
  });
});
