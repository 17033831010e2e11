import { isIP } from 'node:net';

/** What of a request tells of a browser and of the page in it. */
export interface BrowserFacts {
  readonly host: string | undefined;
  readonly origin: string | undefined;
  /** `Sec-Fetch-Site`: whose page makes the request, in the browser's own words. */
  readonly fetchSite: string | undefined;
}

export interface BrowserRules {
  /** Names besides `localhost` and IP addresses that this node is called by: `advertise-host`. Lower case. */
  readonly ownNames: ReadonlySet<string>;
  /** Origins of pages that may use the API: `https://dashboard.example.org`. */
  readonly origins: ReadonlySet<string>;
}

/**
 * Which names a call may be for: our own; also those without a dot (`aggregator`, in the networks of containers), which
 * nobody can register for a page of theirs; or any.
 */
export type AcceptedNames = 'own' | 'short' | 'any';

/**
 * Why a call without a token must not count as the operator's; undefined when it may. Every page that the operator opens
 * can send requests to this machine:
 * - those of a page of another site tell so by `Sec-Fetch-Site`, and those that change something by `Origin`;
 * - by DNS rebinding the page's own name leads here, so that the browser takes the requests for same-site ones. They
 *   still name it in `Host`. No page has an IP address or `localhost` for its name that did not come from there.
 */
export function suspicionOf(
  facts: BrowserFacts,
  rules: BrowserRules,
  names: AcceptedNames = 'own',
): string | undefined {
  const { host, origin, fetchSite } = facts;
  if (names !== 'any' && !isOwnName(host, rules) && !(names === 'short' && isShortName(host))) {
    const name = host === undefined ? 'no host' : `the host ${shown(host)}`;
    return `it is for ${name}; without a token use localhost, an IP address or the name given by advertise-host`;
  }
  if (origin !== undefined && rules.origins.has(origin.toLowerCase())) return undefined;
  if (fetchSite !== undefined && fetchSite !== 'same-origin' && fetchSite !== 'none') {
    return `a page of another site makes it (sec-fetch-site: ${shown(fetchSite)})`;
  }
  if (origin !== undefined && !isSameHost(origin, host)) {
    return `a page of another site makes it (origin: ${shown(origin)})`;
  }
  return undefined;
}

function isOwnName(host: string | undefined, { ownNames }: BrowserRules): boolean {
  const name = hostNameOf(host);
  if (name === undefined) return false;
  if (isIP(name) !== 0 || name === 'localhost' || name.endsWith('.localhost')) return true;
  return ownNames.has(name);
}

function isShortName(host: string | undefined): boolean {
  return hostNameOf(host)?.includes('.') === false;
}

/** The name in a Host header, without port, brackets and a dot at its end; undefined for what is none. */
function hostNameOf(host: string | undefined): string | undefined {
  const match = /^(?:\[([0-9a-f:.]{2,45})\]|([a-z0-9._-]{1,253}))(?::\d{1,5})?$/i.exec(host ?? '');
  return (match?.[1] ?? match?.[2]?.replace(/\.$/, ''))?.toLowerCase();
}

function isSameHost(origin: string, host: string | undefined): boolean {
  const match = /^https?:\/\/([^/]+)$/i.exec(origin);
  return match !== null && host !== undefined && match[1]?.toLowerCase() === host.toLowerCase();
}

function shown(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 79)}…` : text);
}
