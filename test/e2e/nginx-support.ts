import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { Aggregator, type AggregatorOptions } from '../support/aggregator.js';
import type { Scope } from '../support/scope.js';
import { waitFor } from '../support/wait.js';

/** A process of the nginx that an aggregator runs. */
export interface NginxProcess {
  readonly pid: number;
  readonly title: string;
}

/** An aggregator with `--backend nginx`; its nginx ends with the scope too. */
export class NginxAggregator extends Aggregator {
  readonly confFile: string;

  constructor(scope: Scope, options: AggregatorOptions & { confFile?: string } = {}) {
    const conf = options.confFile === undefined ? [] : ['--nginx-conf', options.confFile];
    super(scope, { ...options, flags: ['--backend', 'nginx', ...conf, ...(options.flags ?? [])] });
    this.confFile = options.confFile ?? join(this.dataDir, 'nginx.conf');
    // Clean-ups run in reverse order: after the aggregator, which would start nginx again, and before the folder.
    scope.defer(() => {
      for (const { pid } of this.nginx()) kill(pid, 'SIGKILL');
    });
    scope.attachLog('nginx', () => this.errorLog);
  }

  get errorLog(): string {
    try {
      return readFileSync(join(this.dataDir, 'nginx/error.log'), 'utf8');
    } catch {
      return '';
    }
  }

  get conf(): string {
    return readFileSync(this.confFile, 'utf8');
  }

  /** Waits until nginx has loaded a configuration that contains this. */
  async inForce(text: string): Promise<void> {
    await waitFor(
      () => {
        const active = readFileSync(`${this.confFile}.active`, 'utf8');
        const { hash } = JSON.parse(readFileSync(join(this.dataDir, 'nginx/loaded.json'), 'utf8')) as { hash: string };
        return active.includes(text) && createHash('sha256').update(active).digest('hex') === hash;
      },
      { what: `"${text}" in what nginx has loaded` },
    );
  }

  /** All processes of its nginx: those that write to its error log. */
  nginx(): NginxProcess[] {
    const log = join(this.dataDir, 'nginx/error.log');
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .flatMap((name) => {
        try {
          const title = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
          const isOurs = readlinkSync(`/proc/${name}/fd/2`) === log;
          return isOurs && title.startsWith('nginx: ') ? [{ pid: Number(name), title }] : [];
        } catch {
          return [];
        }
      });
  }

  master(): number {
    const found = this.nginx().filter(({ title }) => title.startsWith('nginx: master'));
    if (found.length !== 1) throw new Error(`there are ${found.length} masters`);
    return found[0]!.pid;
  }

  /** Workers that take new connections. */
  workers(): number[] {
    return this.nginx()
      .filter(({ title }) => title === 'nginx: worker process')
      .map(({ pid }) => pid);
  }

  oldWorkers(): number[] {
    return this.nginx()
      .filter(({ title }) => title.includes('shutting down'))
      .map(({ pid }) => pid);
  }

  async problems(): Promise<{ code: string; message: string }[]> {
    const config = (await this.apiOk('GET', '/v1/config')) as { problems: { code: string; message: string }[] };
    return config.problems;
  }

  async facts(): Promise<Record<string, unknown>> {
    const nodes = (await this.apiOk('GET', '/v1/nodes')) as { items: { backendFacts: Record<string, unknown> }[] };
    return nodes.items[0]!.backendFacts;
  }

  async stats(): Promise<{ bw_in: string; bw_out: string; input_conn: number }> {
    return (await this.apiOk('GET', '/stats')) as { bw_in: string; bw_out: string; input_conn: number };
  }

  async status(): Promise<string> {
    return ((await this.apiOk('GET', '/status')) as { status: string }).status;
  }
}

export async function startNginxAggregator(
  scope: Scope,
  options: AggregatorOptions & { confFile?: string } = {},
): Promise<NginxAggregator> {
  const aggregator = new NginxAggregator(scope, options);
  await aggregator.start();
  return aggregator;
}

export function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It is gone already.
  }
}

export function isAlive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

/** Resident memory, bytes. */
export function rssOf(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;
}
