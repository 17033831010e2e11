import { useSignal } from '@preact/signals';
import { useLayoutEffect, useRef } from 'preact/hooks';
import type { CameraView } from '../../api/types.js';
import { cameraLink, go, route, setQuery } from '../../router.js';
import { cameraHealth, cameraLook, isInTrouble, pushSummary } from '../../state/health.js';
import { selected, setSelected, toggle } from '../../state/selection.js';
import { type CameraEntry, mayOperate } from '../../state/store.js';
import { bitrate, codec } from '../../ui/format.js';
import { Badge } from '../../ui/mark.js';
import { Since } from '../../ui/parts.js';
import { useVisibleRows } from '../../ui/visible-rows.js';
import { columns, directionOf } from './orders.js';
import { SelectionBar } from './selection-bar.js';

/** Pixels; the style sheet has the same. Thumbs need more. */
const rowHeight = matchMedia('(max-width: 720px)').matches ? 44 : 38;

/** Cameras as rows: for hundreds, and for changing many at once, by mouse or by keyboard alone. */
export function CameraTable({ entries }: { entries: readonly CameraEntry[] }) {
  const body = useRef<HTMLTableSectionElement>(null);
  const { first, last, seen, measure } = useVisibleRows(body, rowHeight, entries.length);
  /** The row that Tab comes to, and from which Shift selects. */
  const active = useSignal('');
  const anchor = useRef('');
  const wantsFocus = useRef(false);
  const activeIndex = entries.findIndex(({ name }) => name === active.value);
  const tabIndexRow = activeIndex >= first && activeIndex < last ? activeIndex : seen;

  useLayoutEffect(() => {
    if (!wantsFocus.current || body.current === null || activeIndex < 0) return;
    const row = body.current.querySelector<HTMLElement>(`[data-index="${activeIndex}"]`);
    if (row === null) {
      const top = body.current.getBoundingClientRect().top + scrollY;
      scrollTo({ top: top + activeIndex * rowHeight - innerHeight / 2, behavior: 'instant' });
      measure();
      return;
    }
    wantsFocus.current = false;
    row.focus({ preventScroll: true });
    row.scrollIntoView({ block: 'nearest' });
  });

  const choose = (name: string, extends_: boolean) => {
    const from = entries.findIndex((entry) => entry.name === anchor.current);
    const to = entries.findIndex((entry) => entry.name === name);
    if (extends_ && from >= 0) {
      const range = entries.slice(Math.min(from, to), Math.max(from, to) + 1);
      setSelected([...selected.peek(), ...range.map((entry) => entry.name)]);
      return;
    }
    anchor.current = name;
    toggle(name);
  };
  const goTo = (index: number, extends_: boolean) => {
    const entry = entries[Math.min(entries.length - 1, Math.max(0, index))];
    if (entry === undefined) return;
    if (extends_ && mayOperate.peek()) {
      if (anchor.current === '') anchor.current = entries[activeIndex]?.name ?? '';
      choose(entry.name, true);
    } else anchor.current = entry.name;
    wantsFocus.current = true;
    active.value = entry.name;
  };
  const page = Math.max(1, Math.floor(innerHeight / rowHeight) - 6);
  const steps: Readonly<Record<string, number>> = {
    ArrowDown: 1,
    ArrowUp: -1,
    PageDown: page,
    PageUp: -page,
    Home: -entries.length,
    End: entries.length,
  };
  const onKey = (event: KeyboardEvent) => {
    const row = event.target instanceof HTMLElement ? event.target.closest<HTMLElement>('tr[data-index]') : null;
    if (row === null) return;
    const index = Number(row.dataset.index);
    const name = entries[index]?.name ?? '';
    const step = steps[event.key];
    if (step !== undefined) goTo(index + step, event.shiftKey);
    else if (event.key === 'Enter') go(cameraLink(name));
    else if (!mayOperate.peek()) return;
    else if (event.key === ' ') choose(name, event.shiftKey);
    else if (event.key === 'a' && (event.ctrlKey || event.metaKey)) setSelected(entries.map((entry) => entry.name));
    else if (event.key === 'Escape') setSelected([]);
    else return;
    event.preventDefault();
  };

  const count = entries.filter(({ name }) => selected.value.has(name)).length;
  return (
    <>
      <p class="hint table-hint">
        Arrow keys move, Enter opens
        {mayOperate.value && ', Space selects, Shift with an arrow selects several, Ctrl+A selects all'}.
      </p>
      <div class="camera-table-wrap">
        <table
          class="camera-table"
          // biome-ignore lint/a11y/noNoninteractiveElementToInteractiveRole: a grid of the ARIA practices; its rows take the focus
          role="grid"
          aria-label="Cameras"
          aria-multiselectable={mayOperate.value}
          aria-rowcount={entries.length + 1}
          onKeyDown={onKey}
        >
          <thead>
            <tr aria-rowindex={1}>
              {mayOperate.value && (
                <th class="select" scope="col">
                  <input
                    type="checkbox"
                    aria-label="Select all cameras that are shown"
                    checked={count > 0 && count === entries.length}
                    ref={(box) => {
                      if (box !== null) box.indeterminate = count > 0 && count < entries.length;
                    }}
                    onChange={() => setSelected(count === entries.length ? [] : entries.map(({ name }) => name))}
                  />
                </th>
              )}
              {columns.map(({ key, label, kind }) => (
                <Heading key={key} sort={key} label={label} kind={kind} />
              ))}
            </tr>
          </thead>
          <tbody ref={body}>
            {first > 0 && <Spacer rows={first} />}
            {entries.slice(first, last).map((entry, offset) => (
              <Row
                key={entry.name}
                entry={entry}
                index={first + offset}
                isTabStop={first + offset === tabIndexRow}
                onFocus={() => {
                  active.value = entry.name;
                }}
                onChoose={(extends_) => choose(entry.name, extends_)}
              />
            ))}
            {last < entries.length && <Spacer rows={entries.length - last} />}
          </tbody>
        </table>
      </div>
      {mayOperate.value && <SelectionBar />}
    </>
  );
}

function Heading({ sort, label, kind }: { sort: string; label: string; kind: string | undefined }) {
  const direction = directionOf(route.value.query.get('sort'), sort);
  const next = direction === 'ascending' ? `-${sort}` : sort;
  return (
    <th scope="col" class={kind} aria-sort={direction}>
      <button type="button" onClick={() => setQuery('sort', next === 'name' ? null : next)}>
        {label}
        <span aria-hidden="true">{direction === 'ascending' ? ' ▲' : direction === 'descending' ? ' ▼' : ''}</span>
      </button>
    </th>
  );
}

function Spacer({ rows }: { rows: number }) {
  return (
    <tr class="spacer">
      <td colSpan={columns.length + 1} style={{ height: `${rows * rowHeight}px` }} />
    </tr>
  );
}

function Row(props: {
  entry: CameraEntry;
  index: number;
  isTabStop: boolean;
  onFocus: () => void;
  onChoose: (extends_: boolean) => void;
}) {
  const { entry, index, isTabStop, onFocus, onChoose } = props;
  const camera = entry.view.value;
  const look = cameraLook(camera);
  const isSelected = selected.value.has(camera.name);
  return (
    <tr
      data-index={index}
      aria-rowindex={index + 2}
      aria-selected={mayOperate.value ? isSelected : undefined}
      tabIndex={isTabStop ? 0 : -1}
      onFocus={onFocus}
    >
      {mayOperate.value && (
        <td class="select">
          <input
            type="checkbox"
            tabIndex={-1}
            aria-label={`Select ${camera.name}`}
            checked={isSelected}
            onClick={(event) => onChoose(event.shiftKey)}
          />
        </td>
      )}
      <td class="name">
        <a tabIndex={-1} href={cameraLink(camera.name)}>
          {camera.name}
        </a>
      </td>
      <td>
        <Badge look={look} text={cameraHealth(camera) === 'returning' ? 'lost' : look.label} />
      </td>
      <td class="number">{sinceOf(camera)}</td>
      <td>{camera.live ? videoOf(camera) : ''}</td>
      <td class="number">{camera.live && camera.frameRate !== null ? `${Math.round(camera.frameRate)} fps` : ''}</td>
      <td class="number">{camera.live ? bitrate(camera.bitrateInBps) : ''}</td>
      <td class={camera.live && camera.pushes.some(isInTrouble) ? 'bad' : undefined}>{pushSummary(camera.pushes)}</td>
      <td class="muted">{targetsOf(camera)}</td>
    </tr>
  );
}

function sinceOf({ liveSince, lastLive }: CameraView) {
  if (liveSince !== null) return <Since iso={liveSince} />;
  if (lastLive === null) return 'never seen';
  return (
    <>
      <Since iso={lastLive.until ?? lastLive.since} /> ago
    </>
  );
}

function videoOf({ videoCodec, width, height }: CameraView): string {
  if (videoCodec === null) return 'no video';
  return width === null ? codec(videoCodec) : `${codec(videoCodec)} ${width}×${height}`;
}

function targetsOf({ pushes }: CameraView): string {
  return [...new Set(pushes.map(({ engine, url }) => engine ?? /^\w+:\/\/([^/]+)/.exec(url)?.[1] ?? url))].join(', ');
}
