import { useSignal } from '@preact/signals';
import { link } from '../../router.js';
import type { NodeEntry } from '../../state/nodes.js';
import { bitrate, milliseconds } from '../../ui/format.js';
import { Mark } from '../../ui/mark.js';
import { type Edge, edgesOf, edgeTone, linkLook, nodeLook } from './looks.js';
import { boxHeight, boxWidth, labelWidth, layOutPlaces, type Point, padding, width } from './places-layout.js';

const thinnest = 2;
const thickest = 12;

/** The places with their nodes, and the streams between these. What it shows stands in the table below it, too. */
export function PlacesMap({ nodes }: { nodes: readonly NodeEntry[] }) {
  const picked = useSignal<string | null>(null);
  const entries = new Map(nodes.map((entry) => [entry.id, entry]));
  const edges = edgesOf(nodes).filter(({ from, to }) => entries.has(from) && entries.has(to));
  const { places, spots, routes, height } = layOutPlaces(
    nodes.map(({ id, member }) => ({ id, place: member.location ?? 'no location' })),
    edges,
  );
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
      {edges.map((edge, index) => (
        <Line
          key={`${edge.from} ${edge.to}`}
          edge={edge}
          path={routes[index]!.path}
          width={thinnest + (thickest - thinnest) * (edge.link.bitrateBps / most)}
          dim={isDim([edge.from, edge.to])}
        />
      ))}
      {[...spots.values()].map(({ id, x, y }) => {
        const entry = entries.get(id)!;
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
      {edges.map((edge, index) => (
        <Label
          key={`${edge.from} ${edge.to}`}
          edge={edge}
          at={routes[index]!.label}
          isRight={spots.get(edge.to)!.x >= spots.get(edge.from)!.x}
          dim={isDim([edge.from, edge.to])}
        />
      ))}
    </svg>
  );
}

function Line({ edge, path, width: stroke, dim }: { edge: Edge; path: string; width: number; dim: boolean }) {
  const tone = edgeTone(edge);
  const kind = tone === 'bad' || tone === 'warn' ? ' broken' : tone === 'off' ? ' idle' : '';
  return (
    <g class={`flow tone-${tone}${kind}${dim ? ' dim' : ''}`}>
      <path d={path} style={{ strokeWidth: `${stroke}px` }} />
    </g>
  );
}

function Label({ edge, at: [x, y], isRight, dim }: { edge: Edge; at: Point; isRight: boolean; dim: boolean }) {
  const { link: seen } = edge;
  const arrow = isRight ? '→' : '←';
  const tone = edgeTone(edge);
  const text = edge.isOld
    ? 'unknown'
    : tone === 'ok'
      ? `${bitrate(seen.bitrateBps)} ${arrow} ${milliseconds(seen.roundTripMs)}`
      : linkLook(seen).label;
  return (
    <g class={`link-label tone-${tone}${dim ? ' dim' : ''}`} transform={`translate(${x} ${y})`}>
      <rect x={-labelWidth / 2} y="-13" width={labelWidth} height="24" rx="12" />
      <text y="4">{text}</text>
    </g>
  );
}

function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}
