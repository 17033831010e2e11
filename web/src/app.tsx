import { computed, useSignalEffect } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { setToken, signInReason, token } from './api/http.js';
import { CameraPage } from './pages/camera.js';
import { Discover } from './pages/discover.js';
import { MapPage } from './pages/map/map.js';
import { Nodes } from './pages/nodes/nodes.js';
import { Overview } from './pages/overview.js';
import { Settings } from './pages/settings.js';
import { SignIn } from './pages/sign-in.js';
import { link, place, route } from './router.js';
import { isInCluster } from './state/nodes.js';
import { link as connection, heardMs, loaded, mayOperate, node, problems } from './state/store.js';
import { type Theme, theme } from './state/theme.js';
import { clock } from './ui/format.js';
import { AutoIcon, CameraIcon, MapIcon, MoonIcon, NodesIcon, SettingsIcon, SunIcon, WarnIcon } from './ui/icons.js';
import { Empty } from './ui/parts.js';

export function App() {
  return (
    <>
      <button type="button" class="skip" onClick={() => document.getElementById('main')?.focus()}>
        Skip to the content
      </button>
      <Header />
      <NoData />
      <main id="main" tabIndex={-1} class={isStale.value ? 'stale' : undefined}>
        {signInReason.value === null && <Problems />}
        {signInReason.value !== null ? <SignIn /> : loaded.value ? <Page /> : <Loading />}
      </main>
    </>
  );
}

/** What is shown is not what is any more. */
const isStale = computed(() => connection.value === 'lost' && loaded.value && signInReason.value === null);

/** Says so, on every page. */
function NoData() {
  return (
    <div class="no-data-slot" role="alert">
      {isStale.value && (
        <p class="no-data">
          <WarnIcon />
          <span>
            <strong>No data since {clock(new Date(heardMs.value).toISOString())}.</strong> The aggregator does not
            answer; trying again … Everything below is as of then.
          </span>
        </p>
      )}
    </div>
  );
}

/** What is wrong with the node as a whole, on every page but the one that lists it. */
function Problems() {
  const first = problems.value[0];
  if (first === undefined || place.value === 'settings/configuration') return null;
  const more = problems.value.length - 1;
  return (
    <div class="note bad" role="alert">
      <WarnIcon />
      <span>
        {first.message}
        <code class="code">{first.code}</code>{' '}
        <a href={link('settings', 'configuration')}>{more > 0 ? `and ${more} more` : 'more'}</a>
      </span>
    </div>
  );
}

function Loading() {
  const lost = connection.value === 'lost';
  return (
    <div class="empty" role="status">
      {lost ? 'The aggregator does not answer; trying again …' : 'Loading …'}
    </div>
  );
}

function Page() {
  const [section, name] = route.value.path;
  const isFirst = useRef(true);
  // Whoever follows a link by keyboard or by ear goes on at the top of the new page.
  useSignalEffect(() => {
    const title = [
      name,
      section === undefined ? undefined : section === 'cameras' ? undefined : section,
      'media aggregator',
    ];
    document.title = title.filter((part) => part !== undefined).join(' · ');
  });
  useEffect(() => {
    if (!isFirst.current) document.getElementById('main')?.focus({ preventScroll: true });
    isFirst.current = false;
  }, [place.value]);

  if (section === undefined) return <Overview />;
  if (section === 'cameras' && name !== undefined) return <CameraPage key={name} name={name} />;
  if (section === 'discover') return <Discover />;
  if (section === 'map') return <MapPage />;
  if (section === 'nodes') return <Nodes id={name} />;
  if (section === 'settings') return <Settings tab={name ?? 'engines'} />;
  return (
    <Empty title="There is no such page">
      <a href={link()}>Back to the overview</a>
    </Empty>
  );
}

function Header() {
  const section = route.value.path[0];
  const here = (target: string | undefined) => (section === target ? 'page' : undefined);
  return (
    <header class="top">
      <a class="brand" href={link()}>
        <Logo />
        <span class="brand-name">media aggregator</span>
        {node.value !== null && <span class="node-name">{node.value.name}</span>}
      </a>
      <nav aria-label="Pages">
        <a
          href={link()}
          aria-current={here(undefined) ?? (section === 'cameras' || section === 'discover' ? 'true' : undefined)}
        >
          <CameraIcon />
          <span>Cameras</span>
        </a>
        <a href={link('map')} aria-current={here('map')}>
          <MapIcon />
          <span>Map</span>
        </a>
        {isInCluster.value && (
          <a href={link('nodes')} aria-current={here('nodes')}>
            <NodesIcon />
            <span>Nodes</span>
          </a>
        )}
        <a href={link('settings')} aria-current={here('settings')}>
          <SettingsIcon />
          <span>Settings</span>
        </a>
      </nav>
      <div class="top-end">
        {loaded.value && !mayOperate.value && <span class="badge plain">read only</span>}
        <ThemeSwitch />
        {token.value !== null && signInReason.value === null && (
          <button type="button" class="button small" onClick={signOut}>
            Sign out
          </button>
        )}
      </div>
    </header>
  );
}

function Logo() {
  return (
    <svg class="logo" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <rect width="32" height="32" rx="8" />
      <path d="M7 9c6 0 6 7 11 7M7 16h11M7 23c6 0 6-7 11-7" />
      <circle cx="22" cy="16" r="4" />
    </svg>
  );
}

const nextTheme: Readonly<Record<Theme, Theme>> = { auto: 'light', light: 'dark', dark: 'auto' };
const themeNames: Readonly<Record<Theme, string>> = { auto: 'same as the system', light: 'light', dark: 'dark' };

function ThemeSwitch() {
  const current = theme.value;
  const label = `Theme: ${themeNames[current]}. Change to: ${themeNames[nextTheme[current]]}`;
  return (
    <button
      type="button"
      class="button icon-only"
      aria-label={label}
      title={label}
      onClick={() => {
        theme.value = nextTheme[current];
      }}
    >
      {current === 'auto' ? <AutoIcon /> : current === 'light' ? <SunIcon /> : <MoonIcon />}
    </button>
  );
}

function signOut(): void {
  setToken(null);
  location.reload();
}
