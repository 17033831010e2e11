import { useSignal } from '@preact/signals';
import type { RefObject } from 'preact';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import { cameraLink, link } from '../../router.js';
import { cameraLooks, type Look, type Tone } from '../../state/health.js';
import { node } from '../../state/store.js';
import { bitrate } from '../../ui/format.js';
import { Mark } from '../../ui/mark.js';
import { type SourceRow, type TargetRow, type Tree, viewersKey } from './tree.js';

const width = 1120;
const rowHeight = 40;
const boxHeight = 32;
const sourceWidth = 268;
const targetWidth = 330;
const nodeWidth = 190;
const nodeHeight = 96;
const nodeLeft = (width - nodeWidth) / 2 - 20;
const thinnest = 1.6;
const thickest = 15;
/** Characters of a label that fit. */
const sourceChars = 19;
const targetChars = 25;

/** The tree as a drawing. Pointing at a row, or going to it by keyboard, shows what belongs to it. */
export function Figure({ tree }: { tree: Tree }) {
  const { sources, targets } = tree;
  const picked = useSignal<string | null>(null);
  const rows = Math.max(sources.length, targets.length, 3);
  const height = rows * rowHeight + 16;
  const middle = height / 2;
  const svg = useRef<SVGSVGElement>(null);
  const hub = useHub(svg, height);
  const most = Math.max(
    ...sources.map(({ bitrateBps }) => bitrateBps),
    ...targets.map(({ bitrateBps }) => bitrateBps),
    1,
  );
  const thickness = (bps: number) => thinnest + (thickest - thinnest) * (bps / most);
  const yOf = (index: number, count: number) => middle + (index - (count - 1) / 2) * rowHeight;
  // Links meet the node side by side, not in one point.
  const portOf = (index: number, count: number) =>
    hub + (count < 2 ? 0 : (index / (count - 1) - 0.5) * (nodeHeight - 28));
  const isDim = (row: SourceRow | TargetRow): boolean => {
    const key = picked.value;
    if (key === null || key === row.key) return false;
    return 'targets' in row ? !row.targets.has(key) : !row.sources.has(key);
  };
  const pick = (key: string | null) => () => {
    picked.value = key;
  };
  const self = node.value;
  return (
    <svg
      ref={svg}
      class="map"
      viewBox={`0 0 ${width} ${height}`}
      aria-label="Cameras, this node, and where it sends them"
    >
      {sources.map((row, index) => (
        <Flow
          key={row.key}
          tone={flowTone(row)}
          broken={row.health === 'returning'}
          dim={isDim(row)}
          width={thickness(row.bitrateBps)}
          from={[sourceWidth, yOf(index, sources.length)]}
          to={[nodeLeft, portOf(index, sources.length)]}
        />
      ))}
      {targets.map((row, index) => (
        <Flow
          key={row.key}
          tone={row.tone}
          broken={row.tone === 'bad' || row.tone === 'warn'}
          dim={isDim(row)}
          width={thickness(row.bitrateBps)}
          from={[nodeLeft + nodeWidth, portOf(index, targets.length)]}
          to={[width - targetWidth, yOf(index, targets.length)]}
        />
      ))}
      <g class="map-node" transform={`translate(${nodeLeft} ${hub - nodeHeight / 2})`}>
        <rect width={nodeWidth} height={nodeHeight} rx="12" />
        <text class="name" x={nodeWidth / 2} y="30">
          {cut(self?.name ?? '', 20)}
        </text>
        <text x={nodeWidth / 2} y="54">
          in {bitrate(self?.bitrateInBps)}
        </text>
        <text x={nodeWidth / 2} y="76">
          out {bitrate(self?.bitrateOutBps)}
        </text>
      </g>
      {sources.map((row, index) => {
        const look = cameraLooks[row.health];
        const box = (
          <Box
            left={0}
            y={yOf(index, sources.length)}
            width={sourceWidth}
            label={cut(row.label, sourceChars)}
            detail={row.live ? bitrate(row.bitrateBps) : ''}
            look={look}
          />
        );
        return (
          <a
            key={row.key}
            class={dimmed(isDim(row))}
            href={row.camera === undefined ? tableOf(row.search) : cameraLink(row.camera)}
            onMouseEnter={pick(row.key)}
            onMouseLeave={pick(null)}
            onFocus={pick(row.key)}
            onBlur={pick(null)}
          >
            {box}
          </a>
        );
      })}
      {targets.map((row, index) => (
        <a
          key={row.key}
          class={dimmed(isDim(row))}
          href={row.key === viewersKey ? link() : tableOf(row.label)}
          onMouseEnter={pick(row.key)}
          onMouseLeave={pick(null)}
          onFocus={pick(row.key)}
          onBlur={pick(null)}
        >
          <Box
            left={width - targetWidth}
            y={yOf(index, targets.length)}
            width={targetWidth}
            label={cut(row.label, targetChars)}
            detail={row.detail}
            look={targetLooks[row.tone]}
          />
        </a>
      ))}
    </svg>
  );
}

/** What comes from a camera flows whatever becomes of its pushes. */
function flowTone({ health, live }: SourceRow): Tone {
  const { tone } = cameraLooks[health];
  if (tone !== 'bad') return tone;
  return live ? 'ok' : 'off';
}

/** The cameras that go there, as a table. */
function tableOf(search: string): string {
  return `${link()}?view=table&q=${encodeURIComponent(search)}`;
}

/** Below the bar at the top of the page, pixels. */
const topBar = 64;

/** Where the node stands: in the middle of what is seen of the figure, however long it is. */
function useHub(svg: RefObject<SVGSVGElement>, height: number): number {
  const hub = useSignal(height / 2);
  const place = () => {
    const box = svg.current?.getBoundingClientRect();
    if (box === undefined || box.height === 0) return;
    const seenTop = Math.max(0, topBar - box.top);
    const seenBottom = Math.min(box.height, innerHeight - box.top);
    const middle = ((seenTop + seenBottom) / 2) * (height / box.height);
    const margin = nodeHeight / 2 + 8;
    hub.value = Math.round(Math.min(Math.max(middle, margin), Math.max(margin, height - margin)));
  };
  useLayoutEffect(place, [height]);
  useEffect(() => {
    addEventListener('scroll', place, { passive: true });
    addEventListener('resize', place);
    return () => {
      removeEventListener('scroll', place);
      removeEventListener('resize', place);
    };
  }, [height]);
  return hub.value;
}

type Point = readonly [number, number];

function Flow(props: { tone: Tone; broken: boolean; dim: boolean; width: number; from: Point; to: Point }) {
  const { tone, broken, dim, width: stroke, from, to } = props;
  const bend = (from[0] + to[0]) / 2;
  const path = `M${from[0]} ${from[1]}C${bend} ${from[1]} ${bend} ${to[1]} ${to[0]} ${to[1]}`;
  const kind = broken ? ' broken' : tone === 'off' ? ' idle' : '';
  return (
    <g class={`flow tone-${tone}${kind}${dim ? ' dim' : ''}`}>
      <path d={path} style={{ strokeWidth: `${stroke}px` }} />
      {broken && (
        <g class="break" transform={`translate(${bend} ${(from[1] + to[1]) / 2})`}>
          <circle r="10" />
          <path d="M-4-4 4 4M4-4-4 4" />
        </g>
      )}
    </g>
  );
}

const targetLooks: Readonly<Record<Tone, Look>> = {
  ok: { tone: 'ok', label: 'flows', shape: 'disc' },
  busy: { tone: 'busy', label: 'connects', shape: 'ring' },
  warn: { tone: 'warn', label: 'stalled', shape: 'square' },
  bad: { tone: 'bad', label: 'broken', shape: 'triangle' },
  off: { tone: 'off', label: 'idle', shape: 'ring' },
};
function Box(props: { left: number; y: number; width: number; label: string; detail: string; look: Look }) {
  const { left, y, width: boxWidth, label, detail, look } = props;
  return (
    <g class={`map-box tone-${look.tone}`} transform={`translate(${left} ${y - boxHeight / 2})`}>
      <rect width={boxWidth} height={boxHeight} rx="8" />
      <Mark look={look} title={look.label} x={11} y={boxHeight / 2 - 6} />
      <text x="31" y="21">
        {label}
      </text>
      <text class="detail" x={boxWidth - 12} y="21">
        {detail}
      </text>
    </g>
  );
}

function dimmed(dim: boolean): string {
  return dim ? 'dim' : '';
}

function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}
