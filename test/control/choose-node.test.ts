import { describe, expect, it } from 'vitest';
import { LocationTable, parseLocatedNetwork } from '../../src/address/location-table.js';
import { type ClusterPeer, namedNodes, rankNodes } from '../../src/control/choose-node.js';

const node = (id: string, location: string, more: Partial<ClusterPeer> = {}): ClusterPeer => ({
  id,
  location,
  rtmp: `rtmp://${id}:1935`,
  ...more,
});
const nodes = [node('a', 'berlin'), node('b', 'berlin'), node('c', 'paris'), node('d', 'paris')];
const ids = (wish: Parameters<typeof rankNodes>[1], among = nodes) => rankNodes(among, wish).map(({ id }) => id);

describe('the node that suits a camera', () => {
  it('is in its place, and the same for the same camera whoever else comes and goes', () => {
    for (let index = 0; index < 200; index += 1) {
      const camera = `cam-${index}`;
      const [first, second, ...rest] = ids({ camera, location: 'Berlin' });
      expect([first, second].sort()).toEqual(['a', 'b']);
      expect(rest.sort()).toEqual(['c', 'd']);
      // Without the second one the first stays.
      const without = nodes.filter(({ id }) => id !== second);
      expect(ids({ camera, location: 'berlin' }, without)[0]).toBe(first);
      const joined = ids({ camera, location: 'berlin' }, [...nodes, node('e', 'berlin')])[0];
      expect([first, 'e']).toContain(joined);
    }
  });

  it('shares the cameras of a place by weight', () => {
    const counts: Record<string, number> = {};
    const weighted = [node('a', 'berlin', { weight: 3 }), node('b', 'berlin')];
    for (let index = 0; index < 4000; index += 1) {
      const [first = ''] = ids({ camera: `cam-${index}`, location: 'berlin' }, weighted);
      counts[first] = (counts[first] ?? 0) + 1;
    }
    expect(counts.a! / 4000).toBeGreaterThan(0.7);
    expect(counts.a! / 4000).toBeLessThan(0.8);
  });

  it('is the one that has it, unless its place was said and is another', () => {
    expect(ids({ camera: 'x', holder: 'c', nodeLocation: 'berlin' })[0]).toBe('c');
    expect(ids({ camera: 'x', holder: 'c', location: 'paris' })[0]).toBe('c');
    expect(['a', 'b']).toContain(ids({ camera: 'x', holder: 'c', location: 'berlin' })[0]);
  });

  it('has room, where any has; the one that has the camera is not full for it', () => {
    const some = [node('a', 'berlin', { isFull: true }), node('b', 'berlin'), node('c', 'paris')];
    expect(ids({ camera: 'x', location: 'berlin' }, some)).toEqual(['b', 'c', 'a']);
    expect(ids({ camera: 'x', holder: 'a' }, some)[0]).toBe('a');
  });

  it('is none that stops; the one that has it goes on, and comes last', () => {
    const some = [node('a', 'berlin', { isDraining: true }), node('b', 'berlin'), node('c', 'paris')];
    expect(ids({ camera: 'x', location: 'berlin' }, some)).toEqual(['b', 'c']);
    expect(ids({ camera: 'x', location: 'berlin', holder: 'a' }, some)).toEqual(['b', 'c', 'a']);
  });
});

describe('the nodes that are named to a camera', () => {
  const many = (count: number, location: string, more: Partial<ClusterPeer> = {}) =>
    Array.from({ length: count }, (_, index) => node(`${location}-${index}`, location, more));
  const named = (among: ClusterPeer[], count = 8) => {
    const ranked = rankNodes(among, { camera: 'gate', location: 'berlin' });
    return { ranked, found: namedNodes(ranked, count) };
  };

  it('are eight, of two hundred', () => {
    const { ranked, found } = named([...many(100, 'paris'), ...many(100, 'berlin')]);
    expect(found).toHaveLength(8);
    expect(found.slice(0, 7)).toEqual(ranked.slice(0, 7));
    expect(found.slice(0, 7).every(({ location }) => location === 'berlin')).toBe(true);
    // The best of those elsewhere: of use when all of berlin is gone.
    expect(found[7]).toEqual(ranked.find(({ location }) => location === 'paris'));
  });

  it('are the first eight where one of these is elsewhere already, and all where there are no more', () => {
    const mixed = named([...many(3, 'berlin'), ...many(20, 'paris')]);
    expect(mixed.found).toEqual(mixed.ranked.slice(0, 8));
    const few = named(many(8, 'berlin'));
    expect(few.found).toEqual(few.ranked);
    const one = named(many(20, 'berlin'));
    expect(one.found).toEqual(one.ranked.slice(0, 8));
  });

  it('do not give way to one elsewhere that stops', () => {
    const { ranked, found } = named([...many(20, 'berlin'), ...many(1, 'paris', { isDraining: true })]);
    expect(found).toEqual(ranked.slice(0, 8));
  });
});

describe('where an address is', () => {
  const table = new LocationTable(
    ['berlin=10.1.0.0/16', 'cellar=10.1.2.0/24', 'paris=2001:db8::/32', 'gate=192.0.2.7', 'a=b=10.9.0.0/16'].map(
      parseLocatedNetwork,
    ),
  );

  it.each([
    ['10.1.9.9', 'berlin'],
    ['::ffff:10.1.2.3', 'cellar'],
    ['2001:db8:1::1', 'paris'],
    ['192.0.2.7', 'gate'],
    ['10.9.1.1', 'a=b'],
    ['192.0.2.8', undefined],
    ['no address', undefined],
  ])('%s is in %s', (address, location) => expect(table.locationOf(address)).toBe(location));

  it.each(['berlin', '=10.0.0.0/8', 'berlin=10.0.0.0/33', 'berlin=10.0.0/8', 'berlin=10.0.0.0/8/8', 'berlin=host'])(
    '%s is refused',
    (text) => expect(() => parseLocatedNetwork(text)).toThrow(/LOCATION=NETWORK/),
  );
});
