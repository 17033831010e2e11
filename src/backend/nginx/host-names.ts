import { lookup } from 'node:dns/promises';

/** What is known of a host's name. */
export interface HostState {
  /** Addresses of the last look; empty when it does not resolve. */
  readonly addresses: readonly string[];
  /** Since when it does not resolve, milliseconds since 1970; null when it does. */
  readonly failingSinceMs: number | null;
  /** When it is looked up again, by `performance.now()`; null when it resolves. */
  readonly nextLookMs: number | null;
}

interface Entry {
  addresses: readonly string[];
  failures: number;
  failingSinceMs: number | null;
  /** An answer counts until then. */
  freshUntilMs: number;
}

export type Lookup = (host: string) => Promise<readonly string[]>;

const goodMs = 10_000;
const retryMinMs = 2_000;
const retryMaxMs = 30_000;
const lookupTimeoutMs = 4_000;
/** The system's resolver blocks a thread for each: files and the API need some too. */
const maxLookups = 6;

const systemLookup: Lookup = async (host) => (await lookup(host, { all: true })).map(({ address }) => address);

/** Looks host names up as nginx does (getaddrinfo), because one that does not resolve makes nginx refuse everything. */
export class HostNames {
  readonly #lookup: Lookup;
  readonly #entries = new Map<string, Entry>();

  constructor(lookupHost: Lookup = systemLookup) {
    this.#lookup = lookupHost;
  }

  /** Looks up those that are not fresh; forgets those that are not asked for. */
  async look(hosts: ReadonlySet<string>): Promise<void> {
    for (const host of this.#entries.keys()) if (!hosts.has(host)) this.#entries.delete(host);
    const nowMs = performance.now();
    const due = [...hosts].filter((host) => (this.#entries.get(host)?.freshUntilMs ?? 0) <= nowMs);
    await Promise.all(
      Array.from({ length: Math.min(maxLookups, due.length) }, async () => {
        for (let host = due.pop(); host !== undefined; host = due.pop()) this.#note(host, await this.#ask(host));
      }),
    );
  }

  /** Something else than the resolver found that it does not resolve. */
  fail(host: string): void {
    this.#note(host, []);
  }

  /** The next `look` asks for it whatever was known. False when it resolves. */
  retry(host: string): boolean {
    const entry = this.#entries.get(host);
    if (entry === undefined || entry.failingSinceMs === null) return false;
    entry.freshUntilMs = 0;
    return true;
  }

  resolves(host: string): boolean {
    return (this.#entries.get(host)?.addresses.length ?? 0) > 0;
  }

  state(host: string): HostState | undefined {
    const entry = this.#entries.get(host);
    if (entry === undefined) return undefined;
    const { addresses, failingSinceMs, freshUntilMs } = entry;
    return { addresses, failingSinceMs, nextLookMs: failingSinceMs === null ? null : freshUntilMs };
  }

  /** When the first host that does not resolve is to be looked up again; undefined when all resolve. */
  nextLookMs(): number | undefined {
    let next: number | undefined;
    for (const { failingSinceMs, freshUntilMs } of this.#entries.values()) {
      if (failingSinceMs !== null) next = Math.min(next ?? freshUntilMs, freshUntilMs);
    }
    return next;
  }

  async #ask(host: string): Promise<readonly string[]> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<readonly string[]>((resolve) => {
      timer = setTimeout(resolve, lookupTimeoutMs, []);
    });
    try {
      return await Promise.race([this.#lookup(host), late]);
    } catch {
      return [];
    } finally {
      clearTimeout(timer);
    }
  }

  #note(host: string, addresses: readonly string[]): void {
    const nowMs = performance.now();
    const before = this.#entries.get(host);
    if (addresses.length > 0) {
      this.#entries.set(host, { addresses, failures: 0, failingSinceMs: null, freshUntilMs: nowMs + goodMs });
      return;
    }
    const failures = (before?.failures ?? 0) + 1;
    const pauseMs = Math.min(retryMaxMs, retryMinMs * 2 ** Math.min(failures - 1, 10));
    this.#entries.set(host, {
      addresses,
      failures,
      failingSinceMs: before?.failingSinceMs ?? Date.now(),
      freshUntilMs: nowMs + pauseMs,
    });
  }
}
