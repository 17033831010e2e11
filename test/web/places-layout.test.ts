import fc from 'fast-check';
import { expect, test } from 'vitest';
import { layOutPlaces, type PlaceBox, type Point, width } from '../../web/src/pages/nodes/places-layout.js';

/** As many nodes in each place. */
function nodesIn(...counts: readonly number[]) {
  return counts.flatMap((count, place) =>
    Array.from({ length: count }, (_, index) => ({ id: `n${place}-${index}`, place: `place-${place}` })),
  );
}

/** Whether the line between two points comes into a box. */
function runsThrough([fromX, fromY]: Point, [toX, toY]: Point, box: PlaceBox): boolean {
  const [left, right] = [Math.min(fromX, toX), Math.max(fromX, toX)];
  const [top, bottom] = [Math.min(fromY, toY), Math.max(fromY, toY)];
  // All lines are level or upright.
  expect(left === right || top === bottom).toBe(true);
  return right > box.x && left < box.x + box.width && bottom > box.y && top < box.y + box.height;
}

test('no line runs through a place that is none of its two ends, and none leaves the drawing', () => {
  const plan = fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 14 }).chain((counts) => {
    const nodes = nodesIn(...counts);
    const id = fc.constantFrom(...nodes.map((node) => node.id));
    const link = fc.record({ from: id, to: id }).filter(({ from, to }) => from !== to);
    return fc.record({
      nodes: fc.constant(nodes),
      links: nodes.length < 2 ? fc.constant([]) : fc.array(link, { maxLength: 40 }),
    });
  });
  fc.assert(
    fc.property(plan, ({ nodes, links }) => {
      const { places, routes, height } = layOutPlaces(nodes, links);
      expect(routes).toHaveLength(links.length);
      for (const [index, { points, label, path }] of routes.entries()) {
        const { from, to } = links[index]!;
        const others = places.filter(({ spots }) => !spots.some(({ id }) => id === from || id === to));
        for (const [step, point] of points.slice(1).entries()) {
          for (const place of others) expect(runsThrough(points[step]!, point, place), `${from} to ${to}`).toBe(false);
        }
        for (const [x, y] of [...points, label]) {
          expect(x).toBeGreaterThanOrEqual(0);
          expect(x).toBeLessThanOrEqual(width + 4);
          expect(y).toBeGreaterThanOrEqual(0);
          expect(y).toBeLessThanOrEqual(height);
        }
        expect(path).toMatch(/^M[-0-9.LCQ ]+$/);
      }
      for (const [index, place] of places.entries()) {
        for (const other of places.slice(index + 1)) {
          expect(runsThrough([place.x, place.y + 1], [place.x + place.width, place.y + 1], other)).toBe(false);
        }
      }
    }),
  );
});

test('a line goes from the box of its one node to that of the other', () => {
  const links = [
    { from: 'n0-0', to: 'n2-0' },
    { from: 'n4-0', to: 'n0-0' },
    { from: 'n0-0', to: 'n1-1' },
  ];
  const { routes, spots } = layOutPlaces(nodesIn(1, 2, 1, 1, 1), links);
  for (const [index, { points }] of routes.entries()) {
    for (const [id, point] of [
      [links[index]!.from, points[0]!],
      [links[index]!.to, points.at(-1)!],
    ] as const) {
      const spot = spots.get(id)!;
      expect([spot.x, spot.x + 216]).toContain(point[0]);
      expect(point[1]).toBeGreaterThan(spot.y);
      expect(point[1]).toBeLessThan(spot.y + 74);
    }
  }
});

test('labels of lines that run beside each other do not lie on each other', () => {
  const links = ['n0-0', 'n1-0', 'n2-0'].flatMap((from) => ['n3-0', 'n4-0'].map((to) => ({ from, to })));
  const { routes } = layOutPlaces(nodesIn(1, 1, 1, 1, 1), links);
  for (const [index, { label }] of routes.entries()) {
    for (const other of routes.slice(index + 1)) {
      expect(Math.abs(label[1] - other.label[1]) >= 24 || Math.abs(label[0] - other.label[0]) >= 156).toBe(true);
    }
  }
});
