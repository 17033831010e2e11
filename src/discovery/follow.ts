import { parseSourceUrl } from '../address/source-url.js';
import { messageOf } from '../errors.js';
import type { Logger } from '../log/log.js';
import type { Login } from '../onvif/http-digest.js';
import type { ProbeMatch } from '../onvif/probe.js';
import type { Discovery } from './discovery.js';

/** A source that is a device of the network. */
export interface FollowedSource {
  readonly camera: string;
  readonly ingest: string;
  /** With the login. */
  readonly url: string;
  readonly device: { readonly serial: string; readonly reference?: string };
  readonly state: string;
  readonly code: string | null;
}

/** Where the sources are, and how one is given another address. */
export interface SourceMover {
  list(): Iterable<FollowedSource>;
  /** False: it was changed meanwhile. @throws (rejects) CodedError where it may not be there */
  move(source: FollowedSource, host: string): Promise<boolean>;
}

/** What may mean that the device is elsewhere: nobody is there, or somebody else. */
const lostCodes: ReadonlySet<string> = new Set([
  'SOURCE_AUTH',
  'SOURCE_NOT_FOUND',
  'SOURCE_PROTOCOL',
  'SOURCE_REFUSED',
  'SOURCE_STALLED',
  'SOURCE_TIMEOUT',
  'SOURCE_UNREACHABLE',
]);

/** How often it is looked whether a source is lost; no network is needed for that. */
const lookEveryMs = 10_000;
/** Between two looks at the network: at first, and at most, where nothing is found again. */
const firstPauseMs = 60_000;
const longestPauseMs = 3_600_000;
/** A device that refused a login, or is another one, is not asked again with it for so long: cameras lock logins. */
const askedAgainMs = 3_600_000;
/** Devices that are asked for their serial number in one look. */
const maxAsked = 256;

/** When a lost source is looked for, milliseconds. */
export interface FollowTimes {
  /** How long a source has to be lost. */
  readonly afterMs: number;
  /** For tests. */
  readonly lookMs?: number;
  readonly pauseMs?: number;
  readonly probeMs?: number;
}

/**
 * Finds devices again that have another address: where a source was lost for a while, the network is asked who is there, and
 * who has the serial number of the device gets the source. Seldom, and spread: all that are lost share one look.
 */
export class SourceFollower {
  readonly #discovery: Discovery;
  readonly #mover: SourceMover;
  readonly #times: FollowTimes;
  readonly #log: Logger;
  /** Since when a source is lost, by camera, ingest and URL. */
  readonly #lost = new Map<string, number>();
  readonly #asked = new Map<string, number>();
  #nextMs = 0;
  #pauseMs = 0;
  #timer: NodeJS.Timeout | null = null;
  #isLooking = false;

  constructor(discovery: Discovery, mover: SourceMover, times: FollowTimes, log: Logger) {
    this.#discovery = discovery;
    this.#mover = mover;
    this.#times = times;
    this.#log = log;
  }

  start(): void {
    if (this.#times.afterMs === 0) return;
    this.#timer ??= setInterval(() => void this.#look(), this.#times.lookMs ?? lookEveryMs);
    this.#timer.unref();
  }

  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  async #look(): Promise<void> {
    const nowMs = performance.now();
    const { lost, liveHosts } = this.#lostSources(nowMs);
    if (this.#isLooking) return;
    if (lost.length === 0) {
      this.#pauseMs = 0;
      return;
    }
    if (nowMs < this.#nextMs) return;
    this.#isLooking = true;
    try {
      const moved = await this.#find(lost, liveHosts);
      const firstMs = this.#times.pauseMs ?? firstPauseMs;
      this.#pauseMs = moved > 0 ? firstMs : Math.min(longestPauseMs, Math.max(firstMs, this.#pauseMs * 2));
      // Nodes of a cluster, and sites, do not ask in one moment.
      this.#nextMs = performance.now() + this.#pauseMs * (0.75 + Math.random() / 2);
    } catch (error) {
      this.#log.warn('lost cameras cannot be looked for', { error: messageOf(error) });
      this.#nextMs = performance.now() + longestPauseMs;
    } finally {
      this.#isLooking = false;
    }
  }

  #lostSources(nowMs: number): { lost: FollowedSource[]; liveHosts: Set<string> } {
    const lost: FollowedSource[] = [];
    const liveHosts = new Set<string>();
    const seen = new Set<string>();
    for (const source of this.#mover.list()) {
      const key = `${source.camera}\n${source.ingest}\n${source.url}`;
      if (source.state === 'live') liveHosts.add(parseSourceUrl(source.url).host);
      const isLost = source.state !== 'live' && source.state !== 'off' && lostCodes.has(source.code ?? '');
      if (!isLost) continue;
      seen.add(key);
      const sinceMs = this.#lost.get(key) ?? nowMs;
      this.#lost.set(key, sinceMs);
      if (nowMs - sinceMs >= this.#times.afterMs) lost.push(source);
    }
    for (const key of [...this.#lost.keys()]) if (!seen.has(key)) this.#lost.delete(key);
    return { lost, liveHosts };
  }

  /** @returns how many have another address now */
  async #find(lost: readonly FollowedSource[], liveHosts: ReadonlySet<string>): Promise<number> {
    const { matches } = await this.#discovery.probe(this.#times.probeMs);
    const serials = new Map<ProbeMatch, Map<string, string>>();
    let asked = 0;
    let moved = 0;
    for (const source of lost) {
      const { serial, reference } = source.device;
      // By what they call themselves most are found without asking strangers.
      const candidates = matches.filter((match) =>
        reference === undefined ? !liveHosts.has(match.address.host) : match.reference === reference,
      );
      const hosts = new Set<string>();
      for (const match of candidates) {
        if (asked >= maxAsked) break;
        const login = loginOf(source.url);
        const key = `${match.address.host} ${match.reference} ${login?.username ?? ''} ${login?.password ?? ''}`;
        const known = serials.get(match)?.get(key);
        if (known === undefined && !this.#mayAsk(key)) continue;
        const found = known ?? (await this.#serialOf(match, login));
        if (known === undefined) asked++;
        serials.set(match, (serials.get(match) ?? new Map()).set(key, found));
        if (found === serial) {
          hosts.add(match.address.host);
          this.#asked.delete(key);
        }
      }
      if (await this.#moveTo(source, [...hosts])) moved++;
    }
    return moved;
  }

  async #moveTo(source: FollowedSource, hosts: readonly string[]): Promise<boolean> {
    const from = parseSourceUrl(source.url).host;
    const { camera, ingest, device } = source;
    const facts = { camera, ingest, serial: device.serial, from };
    const [host] = hosts;
    if (host === undefined || hosts.includes(from)) return false;
    if (hosts.length > 1) {
      this.#log.warn('two devices have the serial number of a lost camera; its source stays', {
        ...facts,
        hosts: hosts.join(', '),
      });
      return false;
    }
    try {
      const isMoved = await this.#mover.move(source, host);
      if (isMoved) this.#log.info('a camera was found again at another address', { ...facts, to: host });
      return isMoved;
    } catch (error) {
      this.#log.warn('a camera was found again where its source cannot be', {
        ...facts,
        to: host,
        error: messageOf(error),
      });
      return false;
    }
  }

  #mayAsk(key: string): boolean {
    const nowMs = performance.now();
    for (const [known, atMs] of this.#asked) if (nowMs - atMs > askedAgainMs) this.#asked.delete(known);
    if (this.#asked.has(key) || this.#asked.size >= 10_000) return false;
    this.#asked.set(key, nowMs);
    return true;
  }

  /** Empty: it does not say. */
  async #serialOf(match: ProbeMatch, login: Login | null): Promise<string> {
    try {
      return await this.#discovery.serialOf({ address: match.address, path: match.path }, login);
    } catch {
      return '';
    }
  }
}

function loginOf(url: string): Login | null {
  const { username, password = '' } = parseSourceUrl(url);
  return username === undefined ? null : { username, password };
}
