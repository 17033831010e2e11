import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Disk } from './disk.js';
import type { Network, Place } from './network.js';

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** Has a program be gone when this process ends. */
export function endWithThis(child: ChildProcess): void {
  running.add(child);
  child.once('exit', () => running.delete(child));
}

/** A program in a namespace, which is started again and again. */
export class Placed {
  readonly place: Place;
  readonly #network: Network;
  readonly #log: string;
  #child: ChildProcess | undefined;

  constructor(network: Network, place: Place, log: string) {
    this.#network = network;
    this.place = place;
    this.#log = log;
  }

  protected run(command: string, args: readonly string[], variables: NodeJS.ProcessEnv = {}): void {
    const [file, ...rest] = [...this.#network.at(this.place), command, ...args];
    const log = openSync(this.#log, 'a');
    const child = spawn(file!, rest, { stdio: ['ignore', log, log], env: { ...process.env, ...variables } });
    closeSync(log);
    endWithThis(child);
    this.#child = child;
  }

  get isRunning(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** Resolves when it is gone. */
  async end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child === undefined || !this.isRunning) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  }

  get log(): string {
    return readFileSync(this.#log, 'utf8');
  }
}

export interface NodeOptions {
  readonly id: string;
  readonly location: string;
  readonly folder: string;
  readonly etcd: readonly string[];
  readonly secretFile: string;
  readonly leaseSeconds: number;
}

/** Where Debian's package `faketime` has it. */
export const faketimeLibrary = '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1';
/** Port of the API and of RTMP, at each node: each has an address of its own. */
const apiPort = 5000;
const rtmpPort = 1935;
const callMs = 12_000;

export interface Answer {
  readonly status: number;
  readonly body: unknown;
  /** Of the header; empty: there was none. */
  readonly retryAfter: string;
}

/** An aggregator with an address of its own. */
export class ClusterNode extends Placed {
  readonly id: string;
  readonly location: string;
  /** The built program that it runs from its next start on. */
  program = 'dist/cli/bin.cjs';
  /** Its clock can be set, from its next start on. */
  hasOwnClock = false;
  readonly #options: NodeOptions;

  constructor(network: Network, place: Place, options: NodeOptions) {
    super(network, place, join(options.folder, `${options.id}.log`));
    this.id = options.id;
    this.location = options.location;
    this.#options = options;
  }

  get apiUrl(): string {
    return `http://${this.place.address}:${apiPort}`;
  }

  url(camera: string): string {
    return `rtmp://${this.place.address}:${rtmpPort}/${camera}/${camera}`;
  }

  /** @param seconds how far it is ahead from now on; known there within a second */
  setClock(seconds: number): void {
    writeFileSync(this.#clockFile, `+${seconds}\n`);
  }

  get #clockFile(): string {
    return join(this.#options.folder, `${this.id}.clock`);
  }

  /** Resolves when it serves. */
  async start(): Promise<void> {
    this.setClock(0);
    const clock = {
      ...{ LD_PRELOAD: faketimeLibrary, FAKETIME_TIMESTAMP_FILE: this.#clockFile, FAKETIME_CACHE_DURATION: '1' },
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    };
    const { id, location, folder, etcd, secretFile, leaseSeconds } = this.#options;
    this.run(
      process.execPath,
      [
        ...[this.program, 'serve', '--host', '0.0.0.0', '--advertise-host', this.place.address],
        ...['--rtmp-port', String(rtmpPort), '--api-port', String(apiPort)],
        ...['--data-dir', join(folder, id), '--log-format', 'json', '--node-id', id, '--location', location],
        ...['--cluster', `etcd://${etcd.join(',')}`, '--cluster-secret-file', secretFile],
        ...['--node-lease', `${leaseSeconds}s`, '--relay-return', '2s', '--publish-takeover', '2s'],
        // A camera that leaves is gone at once: what is looked at is how soon it is elsewhere.
        ...['--publish-grace', '0s', '--drain-delay', '8s'],
      ],
      this.hasOwnClock ? clock : {},
    );
    for (const untilMs = performance.now() + 60_000; ; await sleep(100)) {
      if (performance.now() > untilMs || !this.isRunning) throw new Error(`node ${id} does not serve:\n${this.log}`);
      const answer = await fetch(`${this.apiUrl}/readyz`, { signal: AbortSignal.timeout(2000) }).catch(() => undefined);
      if (answer?.ok === true) return;
    }
  }

  /** Its own one: callers here are on another machine than it, and need one. */
  get #adminToken(): string {
    return readFileSync(join(this.#options.folder, this.id, 'admin-token'), 'utf8').trim();
  }

  /** @throws Error when nothing is answered, or there is no token yet */
  async call(method: string, path: string, body?: unknown): Promise<Answer> {
    const response = await fetch(this.apiUrl + path, {
      method,
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        authorization: `Bearer ${this.#adminToken}`,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(callMs),
    });
    const text = await response.text();
    return {
      status: response.status,
      body: text === '' ? undefined : JSON.parse(text),
      retryAfter: response.headers.get('retry-after') ?? '',
    };
  }

  /** As `call`. @throws Error for a status of 400 and above too */
  async callOk<T>(method: string, path: string, body?: unknown): Promise<T> {
    const answer = await this.call(method, path, body);
    if (answer.status >= 400) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    // What the API answers to this.
    return answer.body as T;
  }

  async problems(): Promise<readonly string[]> {
    const { problems } = await this.callOk<{ problems: { code: string }[] }>('GET', '/v1/config');
    return problems.map(({ code }) => code);
  }
}

/** A member of etcd with an address of its own. */
export class EtcdMember extends Placed {
  readonly name: string;
  /** Holds its data, and nothing else. */
  readonly disk: Disk;
  #token = 'soak';
  #life = 0;

  constructor(network: Network, place: Place, folder: string, name: string) {
    super(network, place, join(folder, `${name}.log`));
    this.name = name;
    this.disk = new Disk(folder, name, diskMegabytes);
  }

  get endpoint(): string {
    return `${this.place.address}:2379`;
  }

  get peer(): string {
    return `${this.name}=http://${this.place.address}:2380`;
  }

  get dataDir(): string {
    return join(this.disk.folder, `data-${this.#life}`);
  }

  start(members: readonly EtcdMember[]): void {
    const [client, peer] = [`http://${this.endpoint}`, `http://${this.place.address}:2380`];
    this.run('etcd', [
      ...['--name', this.name, '--data-dir', this.dataDir, '--quota-backend-bytes', String(quotaBytes)],
      ...['--listen-client-urls', client, '--advertise-client-urls', client],
      ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer],
      ...['--initial-cluster', members.map((each) => each.peer).join(','), '--initial-cluster-token', this.#token],
    ]);
  }

  /** Has its next start be from a backup, as a new cluster. */
  async restore(file: string, members: readonly EtcdMember[]): Promise<void> {
    this.#life++;
    this.#token = `soak-${this.#life}`;
    await etcdctl(
      [],
      'snapshot',
      'restore',
      file,
      '--data-dir',
      this.dataDir,
      '--name',
      this.name,
      ...[
        ...['--initial-cluster', members.map((each) => each.peer).join(',')],
        ...[
          '--initial-advertise-peer-urls',
          `http://${this.place.address}:2380`,
          '--initial-cluster-token',
          this.#token,
        ],
      ],
    );
  }
}

/** Of each member. etcd lays out two files of 64 MB for its log, and as much again after a backup was restored. */
const diskMegabytes = 400;
/** Of each member: small, since one of the troubles is that it is full. */
export const quotaBytes = 32 * 1024 * 1024;

const execute = promisify(execFile);

/** Not in one go: cameras and targets are of this process. @returns what it printed @throws Error */
export async function etcdctl(members: readonly EtcdMember[], ...args: readonly string[]): Promise<string> {
  const endpoints = members.map(({ endpoint }) => endpoint).join(',');
  const flags = [...(endpoints === '' ? [] : [`--endpoints=${endpoints}`]), '--command-timeout=5s'];
  const env = { ...process.env, ETCDCTL_API: '3' };
  return (await execute('etcdctl', [...flags, ...args], { env, maxBuffer: 1 << 28 })).stdout;
}

interface MemberStatus {
  readonly Status: {
    readonly header: { readonly revision: number; readonly member_id: number };
    readonly leader: number;
  };
}

async function statusOf(members: readonly EtcdMember[]): Promise<readonly MemberStatus[]> {
  return JSON.parse(await etcdctl(members, 'endpoint', 'status', '--write-out=json')) as MemberStatus[];
}

/** The newest revision of any member. @throws Error */
export async function revisionOf(members: readonly EtcdMember[]): Promise<number> {
  return Math.max(...(await statusOf(members)).map(({ Status }) => Status.header.revision));
}

/** The members, the one that leads first. @throws Error */
export async function leaderFirst(members: readonly EtcdMember[]): Promise<readonly EtcdMember[]> {
  for (const member of members) {
    const [found] = await statusOf([member]);
    if (found?.Status.leader === found?.Status.header.member_id) {
      return [member, ...members.filter((each) => each !== member)];
    }
  }
  throw new Error('no member of etcd leads');
}
