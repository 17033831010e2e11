import { computed, signal, useComputed, useSignal } from '@preact/signals';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import type { CameraView } from '../api/types.js';
import { go, link, route, setQuery } from '../router.js';
import { type CameraHealth, cameraHealth } from '../state/health.js';
import { type CameraEntry, cameras, mayOperate, node, views } from '../state/store.js';
import { bitrate, count, plural } from '../ui/format.js';
import { PlusIcon, SearchIcon } from '../ui/icons.js';
import { Empty } from '../ui/parts.js';
import { VirtualGrid } from '../ui/virtual-grid.js';
import { CameraCard } from './camera-card.js';
import { FirstSteps } from './first-steps.js';
import { CameraTable } from './overview/camera-table.js';
import { cardOrders, orderOf } from './overview/orders.js';
import { RefusedPublishers } from './refused-publishers.js';
import { RegisterDialog } from './register-dialog.js';

/** Pixels: what stands below the picture, which is as high as one of 16:9. */
const cardTextHeight = 148;
const cardWidth = 264;

type Filter = 'all' | CameraHealth;
const filters: readonly { readonly value: Filter; readonly label: string }[] = [
  { value: 'all', label: 'All' },
  { value: 'live', label: 'Live' },
  { value: 'trouble', label: 'In trouble' },
  { value: 'offline', label: 'Not live' },
];

export function Overview() {
  const { query } = route.value;
  if (query.has('first-steps') || cameras.value.size === 0) return <FirstSteps />;
  return (
    <>
      <div class="page-head">
        <h1>Cameras</h1>
        <Totals />
        {mayOperate.value && (
          <div class="head-actions">
            <a class="button" href={link('discover')}>
              <SearchIcon /> Find cameras
            </a>
            <button type="button" class="button primary" onClick={() => setQuery('register', '1')}>
              <PlusIcon /> Register a camera
            </button>
          </div>
        )}
      </div>
      <RefusedPublishers />
      <Toolbar />
      <Grid />
      {query.has('register') && <Register />}
    </>
  );
}

/** With the name of who was refused under it, where that is what it is about. */
function Register() {
  const asked = route.value.query.get('register') ?? '';
  return <RegisterDialog name={asked === '1' ? '' : asked} onClose={() => setQuery('register', null)} />;
}

function Totals() {
  const totals = node.value;
  const troubled = views.value.filter((view) => cameraHealth(view) === 'trouble').length;
  const live = views.value.filter((view) => view.live).length;
  return (
    <dl class="totals">
      <div>
        <dt>Live</dt>
        <dd>
          {count(live)} <span class="muted">of {count(views.value.length)}</span>
        </dd>
      </div>
      <div class={troubled > 0 ? 'bad' : undefined}>
        <dt>In trouble</dt>
        <dd>{count(troubled)}</dd>
      </div>
      <div>
        <dt>In</dt>
        <dd>{bitrate(totals?.bitrateInBps)}</dd>
      </div>
      <div>
        <dt>Out</dt>
        <dd>{bitrate(totals?.bitrateOutBps)}</dd>
      </div>
      <div>
        <dt>Viewers</dt>
        <dd>{count(totals?.viewers)}</dd>
      </div>
    </dl>
  );
}

const layoutKey = 'media-aggregator.layout';
const keptLayout = signal(localStorage.getItem(layoutKey));
/** What the address says, else what was chosen here before. */
const isTable = computed(() => (route.value.query.get('view') ?? keptLayout.value) === 'table');

function chooseLayout(layout: 'cards' | 'table'): void {
  localStorage.setItem(layoutKey, layout);
  keptLayout.value = layout;
  setQuery('view', layout);
}

function Toolbar() {
  const { query } = route.value;
  const search = useRef<HTMLInputElement>(null);
  /** On a phone, the pictures come first. */
  const unfolded = useSignal(false);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const typing = event.target instanceof HTMLElement && event.target.matches('input, select, textarea, dialog *');
      if (event.key !== '/' || typing || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      search.current?.focus();
    };
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  }, []);
  const filter = query.get('show') ?? 'all';
  return (
    <search class="toolbar">
      <label class="search">
        <span class="sr-only">Search cameras by name, address, codec or target</span>
        <SearchIcon />
        <input
          ref={search}
          type="search"
          placeholder="Search  ( / )"
          value={query.get('q') ?? ''}
          onInput={(event) => setQuery('q', event.currentTarget.value)}
        />
      </label>
      <button
        type="button"
        class="button fold-button"
        aria-expanded={unfolded.value}
        onClick={() => {
          unfolded.value = !unfolded.value;
        }}
      >
        Filter and sort
      </button>
      <fieldset class={`segmented foldable${unfolded.value ? ' unfolded' : ''}`}>
        <legend class="sr-only">Show</legend>
        {filters.map(({ value, label }) => (
          <label key={value}>
            <input
              type="radio"
              name="show"
              checked={filter === value}
              onChange={() => setQuery('show', value === 'all' ? null : value)}
            />
            <span>{label}</span>
          </label>
        ))}
      </fieldset>
      <fieldset class={`segmented foldable${unfolded.value ? ' unfolded' : ''}`}>
        <legend class="sr-only">Layout</legend>
        <label>
          <input type="radio" name="layout" checked={!isTable.value} onChange={() => chooseLayout('cards')} />
          <span>Cards</span>
        </label>
        <label>
          <input type="radio" name="layout" checked={isTable.value} onChange={() => chooseLayout('table')} />
          <span>Table</span>
        </label>
      </fieldset>
      <label class={`order foldable${unfolded.value ? ' unfolded' : ''}${isTable.value ? ' by-heading' : ''}`}>
        <span>Sort by</span>
        <select
          value={query.get('sort') ?? 'name'}
          onChange={(event) =>
            setQuery('sort', event.currentTarget.value === 'name' ? null : event.currentTarget.value)
          }
        >
          {cardOrders.map(({ key, label }) => (
            <option key={key} value={key}>
              {label}
            </option>
          ))}
        </select>
      </label>
    </search>
  );
}

function matches(entry: CameraEntry, words: readonly string[]): boolean {
  if (words.length === 0) return true;
  const { name, type, publisher, videoCodec, audioCodec, encoder, pushes } = entry.view.value;
  const targets = pushes.map(({ id, url, engine }) => `${id} ${url} ${engine ?? ''}`);
  const text = [name, type, publisher, videoCodec, audioCodec, encoder, ...targets].join(' ').toLowerCase();
  return words.every((word) => text.includes(word));
}

function Grid() {
  const shown = useComputed(() => {
    const { query } = route.value;
    const words = (query.get('q') ?? '').toLowerCase().split(/\s+/).filter(Boolean);
    const filter = query.get('show') ?? 'all';
    return [...cameras.value.values()]
      .filter((entry) => filter === 'all' || isShown(entry.view.value, filter))
      .filter((entry) => matches(entry, words))
      .sort(orderOf(query.get('sort')));
  });
  useScrollMemory();
  const list = shown.value;
  return (
    <>
      <p class="sr-only" role="status">
        {list.length} of {plural(cameras.value.size, 'camera')} shown
      </p>
      {list.length === 0 ? (
        <Empty title="No camera matches">
          <button type="button" class="button" onClick={() => go('#/')}>
            Show all
          </button>
        </Empty>
      ) : isTable.value ? (
        <CameraTable entries={list} />
      ) : (
        <VirtualGrid
          items={list}
          keyOf={({ name }) => name}
          heightOf={(width) => (width * 9) / 16 + cardTextHeight}
          minWidth={cardWidth}
          gap={16}
          label="Cameras"
        >
          {(entry) => <CameraCard entry={entry} />}
        </VirtualGrid>
      )}
    </>
  );
}

/** A camera in trouble may be live or not. */
function isShown(camera: CameraView, filter: string): boolean {
  const health = cameraHealth(camera);
  if (filter === 'live') return camera.live;
  if (filter === 'trouble') return health === 'trouble' || health === 'returning';
  return health === filter || (filter === 'offline' && !camera.live);
}

const scrollKey = 'media-aggregator.scroll';

/** Whoever comes back from a camera, or reloads, finds the list where it was. */
function useScrollMemory(): void {
  useLayoutEffect(() => {
    scrollTo({ top: Number(sessionStorage.getItem(scrollKey) ?? 0), behavior: 'instant' });
    const remember = () => sessionStorage.setItem(scrollKey, String(Math.round(scrollY)));
    addEventListener('scrollend', remember, { passive: true });
    return () => removeEventListener('scrollend', remember);
  }, []);
}
