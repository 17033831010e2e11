import { useSignal } from '@preact/signals';
import { link } from '../../router.js';
import type { NodeEntry } from '../../state/nodes.js';
import { bitrate, milliseconds } from '../../ui/format.js';
import { Mark } from '../../ui/mark.js';
import { type Edge, edgesOf, edgeTone, linkLook, nodeLook } from './looks.js';

const width = 1120;
const boxWidth = 216;
const boxHeight = 74;
const gap = 18;
const padding = 22;
const headHeight = 40;
const placeGap = 120;
const rowGap = 150;
const thinnest = 2;
const thickest = 12;
const labelWidth = 156;

interface Spot {
  readonly entry: NodeEntry;
  readonly x: number;
  readonly y: number;
}
interface Place {
  readonly name: string;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly spots: readonly Spot[];
}

/** The places with their nodes, and the streams between these. What it shows stands in the table below it, too. */
export function PlacesMap({ nodes }: { nodes: readonly NodeEntry[] }) {
  const picked = useSignal<string | null>(null);
  const { places, height } = layOut(nodes);
  const spots = new Map(places.flatMap(({ spots: some }) => some.map((spot) => [spot.entry.id, spot])));
  const edges = edgesOf(nodes).filter(({ from, to }) => spots.has(from) && spots.has(to));
  const most = Math.max(1, ...edges.map((edge) => edge.link.bitrateBps));
  const pick = (id: string | null) => () => {
    picked.value = id;
  };
  const isDim = (ids: readonly string[]) => picked.value !== null && !ids.includes(picked.value);
  const isTied = (id: string) =>
    picked.value === id ||
    edges.some(({ from, to }) => [from, to].includes(id) && [from, to].includes(picked.value ?? ''));
  return (
    <svg class="map places-map" viewBox={`0 0 ${width} ${height}`} aria-label="The places, their nodes, and the links">
      {places.map((place) => (
        <g key={place.name} class="place" transform={`translate(${place.x} ${place.y})`}>
          <rect width={place.width} height={place.height} rx="14" />
          <text class="name" x={padding} y="27">
            {cut(place.name, Math.floor(place.width / 10))}
          </text>
        </g>
      ))}
      {edges.map((edge) => (
        <Line
          key={`${edge.from} ${edge.to}`}
          edge={edge}
          from={spots.get(edge.from)!}
          to={spots.get(edge.to)!}
          width={thinnest + (thickest - thinnest) * (edge.link.bitrateBps / most)}
          dim={isDim([edge.from, edge.to])}
        />
      ))}
      {[...spots.values()].map(({ entry, x, y }) => {
        const look = nodeLook(entry);
        const isFaint = entry.silentSinceMs !== null || (picked.value !== null && !isTied(entry.id));
        return (
          <a
            key={entry.id}
            class={isFaint ? 'dim' : ''}
            href={link('nodes', entry.id)}
            onMouseEnter={pick(entry.id)}
            onMouseLeave={pick(null)}
            onFocus={pick(entry.id)}
            onBlur={pick(null)}
          >
            <g class={`map-box tone-${look.tone}`} transform={`translate(${x} ${y})`}>
              <rect width={boxWidth} height={boxHeight} rx="10" />
              <Mark look={look} title={look.label} x={13} y={15} />
              <text class="name" x="34" y="26">
                {cut(entry.id, 17)}
              </text>
              <text class="detail-left" x="14" y="47">
                {`${entry.member.liveCameras} live · ${look.label}`}
              </text>
              <text class="detail-left" x="14" y="65">
                {entry.silentSinceMs === null
                  ? `in ${bitrate(entry.view?.bitrateInBps)} · out ${bitrate(entry.view?.bitrateOutBps)}`
                  : 'does not answer'}
              </text>
            </g>
          </a>
        );
      })}
      {edges.map((edge) => (
        <Label
          key={`${edge.from} ${edge.to}`}
          edge={edge}
          from={spots.get(edge.from)!}
          to={spots.get(edge.to)!}
          dim={isDim([edge.from, edge.to])}
        />
      ))}
    </svg>
  );
}

/** Places side by side, as many as the width has room for, the rest below them. */
function layOut(nodes: readonly NodeEntry[]): { readonly places: readonly Place[]; readonly height: number } {
  const byPlace = new Map<string, NodeEntry[]>();
  for (const entry of nodes) {
    const name = entry.member.location ?? 'no location';
    byPlace.set(name, [...(byPlace.get(name) ?? []), entry]);
  }
  const sorted = [...byPlace].sort(([left], [right]) => (left < right ? -1 : 1));
  const placeWidth = boxWidth + 2 * padding;
  const perRow = Math.max(1, Math.floor((width + placeGap) / (placeWidth + placeGap)));
  const places: Place[] = [];
  let top = 8;
  for (let first = 0; first < sorted.length; first += perRow) {
    const row = sorted.slice(first, first + perRow);
    const tallest = Math.max(...row.map(([, entries]) => placeHeight(entries.length)));
    const free = width - row.length * placeWidth;
    const between = row.length < 2 ? 0 : Math.min(free / (row.length - 1), 420);
    const left = (width - row.length * placeWidth - between * (row.length - 1)) / 2;
    for (const [index, [name, entries]] of row.entries()) {
      const own = placeHeight(entries.length);
      const x = left + index * (placeWidth + between);
      const y = top + (tallest - own) / 2;
      const spots = entries.map((entry, at) => ({
        entry,
        x: x + padding,
        y: y + headHeight + at * (boxHeight + gap),
      }));
      places.push({ name, x, y, width: placeWidth, height: own, spots });
    }
    top += tallest + rowGap;
  }
  return { places, height: top - rowGap + 16 };
}

function placeHeight(count: number): number {
  return headHeight + count * boxHeight + (count - 1) * gap + padding;
}

interface Ends {
  readonly path: string;
  readonly middle: readonly [number, number];
}

/** From side to side; within a place around its right side. A link and the one back lie beside each other. */
function endsOf(from: Spot, to: Spot): Ends {
  const shift = from.entry.id < to.entry.id ? -9 : 9;
  const fromY = from.y + boxHeight / 2 + shift;
  const toY = to.y + boxHeight / 2 + shift;
  if (Math.abs(from.x - to.x) < 1) {
    const x = from.x + boxWidth;
    // Also of a place at the right edge.
    const out = Math.min(x + 46, width + 4);
    return { path: `M${x} ${fromY}C${out} ${fromY} ${out} ${toY} ${x} ${toY}`, middle: [x + 34, (fromY + toY) / 2] };
  }
  const isRight = to.x > from.x;
  const fromX = isRight ? from.x + boxWidth : from.x;
  const toX = isRight ? to.x : to.x + boxWidth;
  const bend = (fromX + toX) / 2;
  return {
    path: `M${fromX} ${fromY}C${bend} ${fromY} ${bend} ${toY} ${toX} ${toY}`,
    middle: [bend, (fromY + toY) / 2],
  };
}

function Line(props: { edge: Edge; from: Spot; to: Spot; width: number; dim: boolean }) {
  const { edge, from, to, width: stroke, dim } = props;
  const tone = edgeTone(edge);
  const kind = tone === 'bad' || tone === 'warn' ? ' broken' : tone === 'off' ? ' idle' : '';
  return (
    <g class={`flow tone-${tone}${kind}${dim ? ' dim' : ''}`}>
      <path d={endsOf(from, to).path} style={{ strokeWidth: `${stroke}px` }} />
    </g>
  );
}

function Label({ edge, from, to, dim }: { edge: Edge; from: Spot; to: Spot; dim: boolean }) {
  const [middle, y] = endsOf(from, to).middle;
  const x = Math.min(Math.max(middle, labelWidth / 2 + 1), width - labelWidth / 2 - 1);
  const { link: seen } = edge;
  const arrow = to.x >= from.x ? '→' : '←';
  const tone = edgeTone(edge);
  const text = edge.isOld
    ? 'unknown'
    : tone === 'ok'
      ? `${bitrate(seen.bitrateBps)} ${arrow} ${milliseconds(seen.roundTripMs)}`
      : linkLook(seen).label;
  const up = from.entry.id < to.entry.id ? -17 : 17;
  return (
    <g class={`link-label tone-${tone}${dim ? ' dim' : ''}`} transform={`translate(${x} ${y + up})`}>
      <rect x={-labelWidth / 2} y="-13" width={labelWidth} height="24" rx="12" />
      <text y="4">{text}</text>
    </g>
  );
}

function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}
