import { computed, signal } from '@preact/signals';

/** Where we are: `#/cameras/gate-1?tab=obs`. It lives in the fragment, so that every address is served by `/`. */
export interface Route {
  /** Decoded: `['cameras', 'gate-1']`; empty for the overview. */
  readonly path: readonly string[];
  readonly query: URLSearchParams;
}

const hash = signal(location.hash);
window.addEventListener('hashchange', () => {
  hash.value = location.hash;
});

export const route = computed<Route>(() => parse(hash.value));

/** The path alone: the page changes with it. */
export const place = computed(() => route.value.path.join('/'));

function parse(text: string): Route {
  const [path = '', query = ''] = text.replace(/^#\/?/, '').split('?', 2);
  return { path: path.split('/').filter(Boolean).map(decode), query: new URLSearchParams(query) };
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** For `href`. */
export function link(...path: string[]): string {
  return `#/${path.map(encodeURIComponent).join('/')}`;
}

export function cameraLink(name: string): string {
  return link('cameras', name);
}

export function go(href: string): void {
  location.hash = href;
}

/** Changes a value of the query in place: what a reload or a copied address brings back. */
export function setQuery(key: string, value: string | null): void {
  const { path, query } = route.value;
  const next = new URLSearchParams(query);
  if (value === null || value === '') next.delete(key);
  else next.set(key, value);
  const text = next.toString();
  history.replaceState(null, '', link(...path) + (text === '' ? '' : `?${text}`));
  hash.value = location.hash;
}
