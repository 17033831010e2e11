/** Of the drawing; it is scaled to the width of the page. */
export const width = 1120;
export const boxWidth = 216;
export const boxHeight = 74;
export const padding = 22;
export const labelWidth = 156;
const gap = 18;
const headHeight = 40;
const placeGap = 120;
const placeWidth = boxWidth + 2 * padding;
/** Between two rows of places, where nothing runs there, and what each line there takes. */
const rowGap = 60;
const laneHeight = 28;
const maxLanes = 12;
/** How far from a place the lines beside it run, where no other one is next to it. */
const margin = 40;

export interface PlacedNode {
  readonly id: string;
  /** The name of its place. */
  readonly place: string;
}

/** The box of a node. */
export interface Spot {
  readonly id: string;
  readonly x: number;
  readonly y: number;
}

export interface PlaceBox {
  readonly name: string;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly spots: readonly Spot[];
}

export type Point = readonly [x: number, y: number];

/** The line of a link. */
export interface Route {
  /** As an SVG path. */
  readonly path: string;
  /** The line does not leave the lines between these. */
  readonly points: readonly Point[];
  /** The middle of its label. */
  readonly label: Point;
}

export interface PlacesLayout {
  readonly places: readonly PlaceBox[];
  readonly spots: ReadonlyMap<string, Spot>;
  readonly routes: readonly Route[];
  readonly height: number;
}

/** A place in its row; not yet how far down. */
interface Cell {
  readonly name: string;
  readonly ids: readonly string[];
  readonly row: number;
  readonly column: number;
  readonly x: number;
  /** Where lines may run down beside it. */
  readonly gutters: readonly number[];
}

/**
 * Places side by side, as many as the width has room for, the rest below them; and a line for each link, which runs through no place
 * but those of its two ends: beside the places and between the rows.
 * @param links between nodes that are there
 */
export function layOutPlaces(
  nodes: readonly PlacedNode[],
  links: readonly { readonly from: string; readonly to: string }[],
): PlacesLayout {
  const rows = rowsOf(nodes);
  const cellOf = new Map(rows.flat().flatMap((cell) => cell.ids.map((id) => [id, cell])));
  const ways = links.map(({ from, to }) => wayOf(cellOf.get(from)!, cellOf.get(to)!));

  // How many lines run below each row; the rows are as far apart as these need.
  const counts = rows.map(() => 0);
  const lanes = ways.map((way) =>
    way.map((row) => {
      const lane = counts[row]!;
      counts[row] = lane + 1;
      return lane % maxLanes;
    }),
  );
  const places: PlaceBox[] = [];
  const laneTops: number[] = [];
  let top = 8;
  for (const [index, row] of rows.entries()) {
    const tallest = Math.max(...row.map(({ ids }) => placeHeight(ids.length)));
    for (const { name, ids, x } of row) {
      const height = placeHeight(ids.length);
      const y = top + (tallest - height) / 2;
      const spots = ids.map((id, at) => ({ id, x: x + padding, y: y + headHeight + at * (boxHeight + gap) }));
      places.push({ name, x, y, width: placeWidth, height, spots });
    }
    const running = Math.min(counts[index]!, maxLanes) * laneHeight;
    laneTops.push(top + tallest + rowGap / 2);
    top += tallest + (index === rows.length - 1 && running === 0 ? 0 : rowGap + running);
  }
  const spots = new Map(places.flatMap((place) => place.spots.map((spot) => [spot.id, spot])));

  const routes = links.map(({ from, to }, index): Route => {
    const [start, end] = [spots.get(from)!, spots.get(to)!];
    const [cell, other] = [cellOf.get(from)!, cellOf.get(to)!];
    if (cell === other) return loop(start, end);
    const way = ways[index]!;
    if (way.length === 0) return direct(start, end);
    // Lines beside each other, so that they can be told apart.
    const jitter = ((index % 5) - 2) * 9;
    const ys = way.map((row, step) => laneTops[row]! + (lanes[index]![step]! + 0.5) * laneHeight);
    const first = nearest(cell.gutters, other.x + placeWidth / 2) + jitter;
    const last = nearest(other.gutters, first) + jitter;
    const between = way.slice(0, -1).map((row, step) => {
      const passed = rows[Math.max(row, way[step + 1]!)]!;
      return (
        nearest(
          passed.flatMap(({ gutters }) => gutters),
          last,
        ) + jitter
      );
    });
    return around(start, end, [first, ...between, last], ys);
  });
  return { places, spots, routes, height: top + 16 };
}

function rowsOf(nodes: readonly PlacedNode[]): Cell[][] {
  const byPlace = new Map<string, string[]>();
  for (const { id, place } of nodes) byPlace.set(place, [...(byPlace.get(place) ?? []), id]);
  const sorted = [...byPlace].sort(([left], [right]) => (left < right ? -1 : 1));
  const perRow = Math.max(1, Math.floor((width + placeGap) / (placeWidth + placeGap)));
  const rows: Cell[][] = [];
  for (let first = 0; first < sorted.length; first += perRow) {
    const some = sorted.slice(first, first + perRow);
    const free = width - some.length * placeWidth;
    const between = some.length < 2 ? 0 : Math.min(free / (some.length - 1), 420);
    const left = (width - some.length * placeWidth - between * (some.length - 1)) / 2;
    rows.push(
      some.map(([name, ids], column): Cell => {
        const x = left + column * (placeWidth + between);
        const isLast = column === some.length - 1;
        const before = column === 0 ? x - margin : x - between / 2;
        const after = isLast ? x + placeWidth + margin : x + placeWidth + between / 2;
        const gutters = [before, after].filter((at) => at >= margin / 2 && at <= width - margin / 2);
        return { name, ids, row: rows.length, column, x, gutters };
      }),
    );
  }
  return rows;
}

/** Below which rows a line runs from place to place, in order; none: it needs not, from one to its neighbour. */
function wayOf(from: Cell, to: Cell): number[] {
  if (from.row === to.row) return Math.abs(from.column - to.column) < 2 ? [] : [from.row];
  const [first, last] = [Math.min(from.row, to.row), Math.max(from.row, to.row)];
  const rows = Array.from({ length: last - first }, (_, index) => first + index);
  return from.row < to.row ? rows : rows.reverse();
}

function nearest(all: readonly number[], to: number): number {
  return all.reduce((best, each) => (Math.abs(each - to) < Math.abs(best - to) ? each : best));
}

function placeHeight(count: number): number {
  return headHeight + count * boxHeight + (count - 1) * gap + padding;
}

/** A link and the one back lie beside each other. */
function heightsOf(from: Spot, to: Spot): [fromY: number, toY: number] {
  const shift = from.id < to.id ? -9 : 9;
  return [from.y + boxHeight / 2 + shift, to.y + boxHeight / 2 + shift];
}

/** Within a place, around its right side. */
function loop(from: Spot, to: Spot): Route {
  const [fromY, toY] = heightsOf(from, to);
  const x = from.x + boxWidth;
  // Also of a place at the right edge.
  const out = Math.min(x + 46, width + 4);
  return {
    path: `M${x} ${fromY}C${out} ${fromY} ${out} ${toY} ${x} ${toY}`,
    points: [
      [x, fromY],
      [out, fromY],
      [out, toY],
      [x, toY],
    ],
    label: labelAt(x + 34, (fromY + toY) / 2 + labelShift(from, to)),
  };
}

/** From side to side of places next to each other. */
function direct(from: Spot, to: Spot): Route {
  const [fromY, toY] = heightsOf(from, to);
  const isRight = to.x > from.x;
  const fromX = isRight ? from.x + boxWidth : from.x;
  const toX = isRight ? to.x : to.x + boxWidth;
  const bend = (fromX + toX) / 2;
  return {
    path: `M${fromX} ${fromY}C${bend} ${fromY} ${bend} ${toY} ${toX} ${toY}`,
    points: [
      [fromX, fromY],
      [bend, fromY],
      [bend, toY],
      [toX, toY],
    ],
    label: labelAt(bend, (fromY + toY) / 2 + labelShift(from, to)),
  };
}

/** Beside and between the places. @param xs where it runs down or up @param ys where it runs to the side, one fewer */
function around(from: Spot, to: Spot, xs: readonly number[], ys: readonly number[]): Route {
  const [fromY, toY] = heightsOf(from, to);
  const [first, last] = [xs[0]!, xs.at(-1)!];
  const points: Point[] = [
    [first > from.x ? from.x + boxWidth : from.x, fromY],
    [first, fromY],
  ];
  for (const [index, y] of ys.entries()) points.push([xs[index]!, y], [xs[index + 1]!, y]);
  points.push([last, toY], [last > to.x ? to.x + boxWidth : to.x, toY]);
  const widths = ys.map((_, index) => Math.abs(xs[index + 1]! - xs[index]!));
  const longest = widths.indexOf(Math.max(...widths));
  return {
    path: rounded(points),
    points,
    label: labelAt((xs[longest]! + xs[longest + 1]!) / 2, ys[longest]!),
  };
}

function labelShift(from: Spot, to: Spot): number {
  return from.id < to.id ? -17 : 17;
}

function labelAt(x: number, y: number): Point {
  return [Math.min(Math.max(x, labelWidth / 2 + 1), width - labelWidth / 2 - 1), y];
}

/** A line through these, with round corners. */
function rounded(points: readonly Point[]): string {
  const [[startX, startY], ...rest] = points as [Point, ...Point[]];
  let path = `M${startX} ${startY}`;
  let at: Point = [startX, startY];
  for (const [index, corner] of rest.entries()) {
    const next = rest[index + 1];
    if (next === undefined) path += `L${corner[0]} ${corner[1]}`;
    else {
      const [before, after] = [towards(corner, at), towards(corner, next)];
      path += `L${before[0]} ${before[1]}Q${corner[0]} ${corner[1]} ${after[0]} ${after[1]}`;
    }
    at = corner;
  }
  return path;
}

/** A little way from a corner to another one, along the line. */
function towards([x, y]: Point, [toX, toY]: Point): Point {
  const length = Math.hypot(toX - x, toY - y);
  const part = length === 0 ? 0 : Math.min(14, length / 2) / length;
  return [x + (toX - x) * part, y + (toY - y) * part];
}
