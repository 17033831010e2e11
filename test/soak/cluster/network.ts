import { execFile, spawnSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** One of the namespaces: what runs in it, and its address. */
export interface Place {
  readonly name: string;
  readonly address: string;
}

const bridge = `magg${process.pid % 10_000}`;
const subnet = '10.217.43';

/** A command of iproute2 or iptables. @throws Error with what it said */
function run(command: string, ...args: readonly string[]): void {
  const { status, stderr, error } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${error?.message ?? stderr}`);
}

/**
 * Programs with addresses of their own on one machine: a network namespace for each, all on one bridge, which is on this machine
 * too. It is gone when this process ends, however it ends but by SIGKILL.
 */
export class Network {
  /** The address of this machine on the bridge. */
  readonly hostAddress = `${subnet}.1`;
  readonly #names: string[] = [];
  readonly #cuts: (readonly string[])[] = [];

  /** @throws Error where this is not allowed */
  constructor() {
    process.once('exit', () => this.remove());
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(130));
    run('ip', 'link', 'add', bridge, 'type', 'bridge');
    run('ip', 'address', 'add', `${this.hostAddress}/24`, 'dev', bridge);
    run('ip', 'link', 'set', bridge, 'up');
  }

  /** Counts what comes to a place from another one, from now on. @returns what reads the count, bytes with the headers of IP */
  async count(from: Place, to: Place): Promise<() => Promise<number>> {
    await this.#iptables(to.name, '-I', ['INPUT', '-s', from.address]);
    return async () => {
      const list = ['netns', 'exec', to.name, 'iptables', '-w', '-nvxL', 'INPUT'];
      const { stdout } = await execute('ip', list);
      const line = stdout.split('\n').find((each) => each.includes(from.address)) ?? '';
      return Number(line.trim().split(/\s+/)[1]);
    };
  }

  /** Counts no more. */
  async countNoMore(from: Place, to: Place): Promise<void> {
    await this.#iptables(to.name, '-D', ['INPUT', '-s', from.address]);
  }

  /** @param name of at most four characters */
  add(name: string): Place {
    const namespace = `${bridge}-${name}`;
    const address = `${subnet}.${10 + this.#names.length}`;
    // No network device has a name of more than 15 characters.
    const near = `${bridge}${name}`;
    run('ip', 'netns', 'add', namespace);
    this.#names.push(namespace);
    run('ip', 'link', 'add', near, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace);
    run('ip', 'link', 'set', near, 'master', bridge, 'up');
    run('ip', '-n', namespace, 'address', 'add', `${address}/24`, 'dev', 'eth0');
    run('ip', '-n', namespace, 'link', 'set', 'lo', 'up');
    run('ip', '-n', namespace, 'link', 'set', 'eth0', 'up');
    return { name: namespace, address };
  }

  /** What starts a program there, before the program. */
  at({ name }: Place): readonly string[] {
    return ['ip', 'netns', 'exec', name];
  }

  /** Nothing that `from` sends arrives at `to` any more, and nobody is told. */
  async cutOneWay(from: Place, to: Place): Promise<void> {
    const rule = ['INPUT', '-s', from.address, '-j', 'DROP'];
    this.#cuts.push([to.name, ...rule]);
    await this.#iptables(to.name, '-A', rule);
  }

  /** As a cable that is pulled. */
  async cut(one: Place, other: Place): Promise<void> {
    await Promise.all([this.cutOneWay(one, other), this.cutOneWay(other, one)]);
  }

  /** Ends the connections that `from` has made to `to`, as one that is reset, and refuses new ones for a moment. */
  async reset(from: Place, to: Place): Promise<void> {
    const rule = ['INPUT', '-p', 'tcp', '-s', from.address, '-j', 'REJECT', '--reject-with', 'tcp-reset'];
    await this.#iptables(to.name, '-I', rule);
    await sleep(500);
    await this.#iptables(to.name, '-D', rule);
  }

  /** All arrives again between two places. */
  async mendBetween(one: Place, other: Place): Promise<void> {
    const between = this.#cuts.filter(
      ([name, , , address]) =>
        (name === one.name && address === other.address) || (name === other.name && address === one.address),
    );
    for (const cut of between) this.#cuts.splice(this.#cuts.indexOf(cut), 1);
    await Promise.all(between.map(([name, ...rule]) => this.#iptables(name!, '-D', rule)));
  }

  /** All arrives everywhere again. */
  async mend(): Promise<void> {
    await Promise.all(this.#cuts.splice(0).map(([name, ...rule]) => this.#iptables(name!, '-D', rule)));
  }

  remove(): void {
    for (const name of this.#names.splice(0)) spawnSync('ip', ['netns', 'delete', name]);
    spawnSync('ip', ['link', 'delete', bridge]);
  }

  /** Not in one go: cameras and targets are of this process. */
  async #iptables(name: string, what: string, rule: readonly string[]): Promise<void> {
    await execute('ip', ['netns', 'exec', name, 'iptables', '-w', what, ...rule]);
  }
}
