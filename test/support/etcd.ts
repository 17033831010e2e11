import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { EtcdClient } from '../../src/etcd/client.js';
import { prefixEnd } from '../../src/etcd/protocol.js';
import { PrefixWatch } from '../../src/etcd/watch.js';
import { silentLogger } from '../../src/log/log.js';
import { freePort } from './ports.js';
import { type RunningProcess, runOk, startProcess } from './process.js';
import type { Scope } from './scope.js';
import { waitFor } from './wait.js';

/** One real etcd, or several that are one cluster, in folders of the scope. */
export class TestEtcd {
  readonly endpoints: readonly string[];
  readonly #scope: Scope;
  readonly #members: readonly (readonly string[])[];
  readonly #processes: (RunningProcess | undefined)[];

  private constructor(scope: Scope, endpoints: readonly string[], members: readonly (readonly string[])[]) {
    this.#scope = scope;
    this.endpoints = endpoints;
    this.#members = members;
    this.#processes = members.map(() => undefined);
  }

  /** @param more further flags of every member */
  static async start(scope: Scope, count = 1, more: readonly string[] = []): Promise<TestEtcd> {
    const folder = scope.temporaryFolder('media-aggregator-etcd-');
    const [clients, peers]: [number[], number[]] = [[], []];
    for (let index = 0; index < count; index += 1) {
      clients.push(await freePort());
      peers.push(await freePort());
    }
    const cluster = peers.map((port, index) => `m${index}=http://127.0.0.1:${port}`).join(',');
    const members = peers.map((port, index) => [
      ...['--name', `m${index}`, '--data-dir', join(folder, `m${index}`)],
      ...['--listen-client-urls', `http://127.0.0.1:${clients[index]}`],
      ...['--advertise-client-urls', `http://127.0.0.1:${clients[index]}`],
      ...['--listen-peer-urls', `http://127.0.0.1:${port}`],
      ...['--initial-advertise-peer-urls', `http://127.0.0.1:${port}`],
      ...['--initial-cluster', cluster, '--initial-cluster-token', folder],
      ...more,
    ]);
    const etcd = new TestEtcd(
      scope,
      clients.map((port) => `127.0.0.1:${port}`),
      members,
    );
    for (let index = 0; index < count; index += 1) etcd.run(index);
    await etcd.answers();
    return etcd;
  }

  /** Starts a member, or starts it again. */
  run(index = 0): void {
    const flags = this.#members[index]!;
    this.#processes[index] = startProcess(this.#scope, 'etcd', [...flags], { name: `etcd ${index}` });
  }

  /** SIGKILL, and gone when this resolves. */
  async kill(index = 0): Promise<void> {
    await this.#processes[index]!.stop('SIGKILL');
  }

  /** Saves all that is in it. @returns the file */
  async save(): Promise<string> {
    const file = join(this.#scope.temporaryFolder('media-aggregator-etcd-'), 'snapshot');
    await runOk('etcdctl', [`--endpoints=${this.endpoints[0]}`, 'snapshot', 'save', file], {
      env: { ETCDCTL_API: '3' },
    });
    return file;
  }

  /** Has an etcd of one member be what was saved, as after a disaster: another cluster id, an older revision. */
  async restore(file: string): Promise<void> {
    await this.kill();
    const flags = this.#members[0]!;
    const folder = flags[flags.indexOf('--data-dir') + 1]!;
    rmSync(folder, { recursive: true });
    const names = ['--name', '--initial-cluster', '--initial-cluster-token', '--initial-advertise-peer-urls'];
    const kept = names.flatMap((name) => [name, flags[flags.indexOf(name) + 1]!]);
    // Another token is another cluster.
    kept[kept.indexOf('--initial-cluster-token') + 1] += '-restored';
    await runOk('etcdctl', ['snapshot', 'restore', file, '--data-dir', folder, ...kept], { env: { ETCDCTL_API: '3' } });
    this.run();
    await this.answers();
  }

  signal(signal: NodeJS.Signals, index = 0): void {
    this.#processes[index]!.signal(signal);
  }

  /** Resolves when a majority answers. */
  async answers(): Promise<void> {
    const answered = async (): Promise<true> => {
      await this.ctl('get', 'anything');
      return true;
    };
    await waitFor(answered, { what: 'etcd to answer', timeoutMs: 30_000, intervalMs: 100 });
  }

  /** etcdctl, against all members. @returns what it printed */
  async ctl(...args: readonly string[]): Promise<string> {
    const flags = [`--endpoints=${this.endpoints.join(',')}`, '--command-timeout=3s'];
    const { stdout } = await runOk('etcdctl', [...flags, ...args], { env: { ETCDCTL_API: '3' } });
    return stdout;
  }

  /** Every value that the keys of a prefix ever had, in order, as long as nothing was compacted. */
  async watchAll(
    prefix: string,
  ): Promise<{ readonly key: string; readonly value: string; readonly revision: number }[]> {
    const client = new EtcdClient({ endpoints: this.endpoints });
    try {
      const { header } = await client.range({ key: Buffer.from(prefix), rangeEnd: prefixEnd(prefix), limit: 1 }, 5000);
      const last = `${prefix}zzz-last`;
      await client.txn(
        { compare: [], success: [{ requestPut: { key: Buffer.from(last), value: Buffer.from('{}') } }], failure: [] },
        5000,
      );
      const found: { key: string; value: string; revision: number }[] = [];
      await new Promise<void>((resolve, reject) => {
        const watch = new PrefixWatch(
          client,
          prefix,
          1,
          {
            events: (events) => {
              for (const { type, kv } of events) {
                const key = kv.key.toString();
                if (key === last && Number(kv.modRevision) > Number(header.revision)) {
                  watch.close();
                  resolve();
                } else if (type === 'PUT')
                  found.push({ key, value: kv.value.toString(), revision: Number(kv.modRevision) });
              }
            },
            alive: () => undefined,
            lost: () => undefined,
            compacted: () => reject(new Error('etcd has compacted its history')),
          },
          silentLogger,
        );
      });
      return found;
    } finally {
      client.close();
    }
  }
}
