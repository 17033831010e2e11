import { hostname } from 'node:os';
import { hostOf, isCallableAddress, isLoopbackHost } from './host-header.js';

/** What of a request tells of a browser and of the page in it. */
export interface BrowserFacts {
  /** The one Host header; undefined: there is none, which only HTTP/1.0 allows. */
  readonly host: string | undefined;
  readonly origin: string | undefined;
  /** `Sec-Fetch-Site`: whose page makes the request, in the browser's own words. */
  readonly fetchSite: string | undefined;
  /** True when a header shows a browser. */
  readonly isBrowser: boolean;
  /** True when the browser says that it goes to a page, or fetches ahead of that: a link, a form, an address typed. */
  readonly isNavigation: boolean;
  /** True when the call may change something. */
  readonly changes: boolean;
}

export interface BrowserRules {
  /** Names besides `localhost` that this node is called by: those of the machine, `advertise-host`, `api-names`. Lower case. */
  readonly ownNames: ReadonlySet<string>;
  /** Origins of pages that may use the API: `https://dashboard.example.org`. */
  readonly origins: ReadonlySet<string>;
}

/**
 * Which hosts a call may be for:
 * - `local`: own names, and loopback addresses. What comes from this machine comes by nothing else;
 * - `network`: also other addresses of machines, and names without a dot (`aggregator`, in the networks of containers),
 *   which nobody can register for a page of theirs.
 */
export type AcceptedHosts = 'local' | 'network';

/** The names of this machine and those that the settings give, lower case, without a dot at the end. */
export function ownNamesOf(...given: readonly (string | undefined)[]): ReadonlySet<string> {
  const machine = hostname();
  const all = [machine, machine.split('.', 1)[0], ...given];
  return new Set(all.flatMap((name) => (name ? [name.toLowerCase().replace(/\.$/, '')] : [])));
}

/**
 * Why a call without a token must not count as that of somebody who is let in; undefined when it may. Every page that
 * the operator opens can send requests to this machine:
 * - by DNS rebinding the page's own name leads here, so that the browser takes the requests for same-site ones. They
 *   still name it in `Host`. No page has a loopback address or `localhost` for its name that did not come from there;
 * - those of a page of another site tell so by `Sec-Fetch-Site`, and those with a body by `Origin`;
 * - browsers send neither with an image or a link to an address that they do not hold for trustworthy, and call it no
 *   site's at all when a link was typed or came by a redirect. So what changes something needs the word of the browser
 *   that the own page makes it, once anything shows that it is a browser.
 */
export function suspicionOf(facts: BrowserFacts, rules: BrowserRules, hosts: AcceptedHosts): string | undefined {
  const { host, origin, fetchSite, changes, isBrowser, isNavigation } = facts;
  // Without Host it is HTTP/1.0, which no browser has spoken for decades: old monitors and load balancers do.
  if (host !== undefined && !isAcceptedHost(host, rules, hosts)) {
    const others = hosts === 'network' ? 'an IP address' : 'a loopback address';
    return (
      `it is for the host ${shown(host)}; without a token use localhost, ${others} or a name of this machine ` +
      '(advertise-host, api-names)'
    );
  }
  if (origin !== undefined && rules.origins.has(origin.toLowerCase())) return undefined;
  if (fetchSite !== undefined && fetchSite !== 'same-origin' && fetchSite !== 'none') {
    return `a page of another site makes it (sec-fetch-site: ${shown(fetchSite)})`;
  }
  if (origin !== undefined && !isSameHost(origin, host)) {
    return `a page of another site makes it (origin: ${shown(origin)})`;
  }
  if (!changes) return undefined;
  if (isNavigation) return 'it changes something, and a link, a form or an address in a browser makes it';
  if (isBrowser && fetchSite !== 'same-origin' && origin === undefined) {
    return 'it changes something, and a browser makes it without saying by which page';
  }
  return undefined;
}

function isAcceptedHost(text: string, { ownNames }: BrowserRules, hosts: AcceptedHosts): boolean {
  const host = hostOf(text);
  if (host === undefined) return false;
  if (host.kind === 'address') {
    return isLoopbackHost(host.address) || (hosts === 'network' && isCallableAddress(host.address));
  }
  const { name } = host;
  if (name === 'localhost' || name.endsWith('.localhost') || ownNames.has(name)) return true;
  return hosts === 'network' && !name.includes('.');
}

function isSameHost(origin: string, host: string | undefined): boolean {
  const match = /^https?:\/\/([^/]+)$/i.exec(origin);
  return match !== null && host !== undefined && match[1]?.toLowerCase() === host.toLowerCase();
}

function shown(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 79)}…` : text);
}

/** A header by its name in lower case; several of one name as Node.js joins them. */
export type HeaderOf = (name: string) => string | undefined;

/** True when the headers are a browser's. Other programs send none of these, but for what is left out here. */
export function isBrowserCall(header: HeaderOf, names: Iterable<string>): boolean {
  for (const name of names) {
    // WebSocket's own are no sign; and the fetch of Node.js says a mode, but never a site, as every browser does.
    if (name.startsWith('sec-') && !name.startsWith('sec-websocket-') && name !== 'sec-fetch-mode') return true;
    if (browserHeaders.has(name)) return true;
  }
  // The fetch of Node.js and of Deno takes every language.
  const language = header('accept-language');
  if (language !== undefined && language !== '*') return true;
  // Java asks for pages and pictures as well, and for anything in words of its own.
  const accept = header('accept') ?? '';
  if (pageTypes.test(accept) && !/\*; ?q=0?\.2\b/.test(accept)) return true;
  // PowerShell calls itself Mozilla as well, and is none.
  return /^(?:Mozilla|Opera)\/(?!.*PowerShell\/)/i.test(header('user-agent') ?? '');
}

const pageTypes = /(?:^|,)\s*(?:text\/(?:html|css)|image|video|audio|font)(?:\/|\s*[;,]|$)/i;

const browserHeaders: ReadonlySet<string> = new Set([
  ...['origin', 'referer', 'upgrade-insecure-requests', 'dnt', 'purpose', 'x-purpose', 'x-moz', 'save-data'],
  ...['ping-from', 'ping-to', 'service-worker', 'viewport-width', 'device-memory', 'ect', 'rtt', 'downlink'],
]);

/** True for what a browser asks for in order to show it as a page, in a frame too, or ahead of that. */
export function isNavigation(header: HeaderOf): boolean {
  const fetchMode = header('sec-fetch-mode');
  if (fetchMode === 'navigate' || fetchMode === 'nested-navigate' || header('sec-fetch-site') === 'none') return true;
  if (header('sec-fetch-user') !== undefined || header('upgrade-insecure-requests') !== undefined) return true;
  if (/^(?:document|i?frame|object|embed|fencedframe)$/.test(header('sec-fetch-dest') ?? '')) return true;
  return ['sec-purpose', 'purpose', 'x-purpose', 'x-moz'].some((name) => header(name) !== undefined);
}
