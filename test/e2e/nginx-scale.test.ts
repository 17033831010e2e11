import { existsSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect } from 'vitest';
import { testWith } from '../support/peers.js';
import { testScope } from '../support/scope.js';
import { figure, waitFor } from '../support/wait.js';
import { NginxAggregator, rssOf } from './nginx-support.js';

const count = 5000;

describe('5,000 cameras with two pushes each', () => {
  const test = testWith('nginx-rtmp');

  test('are rendered, checked and reloaded, and the API answers all the while', async (context) => {
    const scope = testScope(context);
    const nginx = new HeldNginx(scope.temporaryFolder());
    const aggregator = new NginxAggregator(scope, { flags: ['--nginx-binary', nginx.file] });
    writeState(aggregator.dataDir);
    let startedAt = performance.now();
    await aggregator.start();
    await aggregator.inForce(`application cam${count - 1} {`);
    figure(`start with ${count} cameras until nginx has them`, performance.now() - startedAt, 'ms');
    figure('nginx.conf', statSync(aggregator.confFile).size / 1024, 'KB');
    figure('memory of the aggregator', aggregator.rssBytes() / 2 ** 20, 'MB');
    figure('memory of the fresh master', rssOf(aggregator.master()) / 2 ** 20, 'MB');
    figure('memory of a fresh worker', rssOf(aggregator.workers()[0]!) / 2 ** 20, 'MB');

    const pauses: number[] = [];
    let done = false;
    const asking = (async () => {
      while (!done) {
        const askedAt = performance.now();
        await aggregator.stats();
        await aggregator.camera('cam17');
        pauses.push(performance.now() - askedAt);
        await delay(10);
      }
    })();
    asking.catch(() => undefined); // When a check before `await asking` fails, the aggregator goes too.
    // An API that waits for nginx would answer none of these: the check lasts until they are answered.
    nginx.hold();
    const adding = aggregator.addCamera('held');
    await waitFor(() => nginx.isWaiting, { what: 'nginx to check the next configuration' });
    const before = pauses.length;
    await waitFor(() => pauses.length >= before + 20, { what: '40 answers while nginx checks', timeoutMs: 30_000 });
    expect(nginx.isWaiting).toBe(true);
    nginx.release();
    await adding;
    await aggregator.inForce('application held {');

    startedAt = performance.now();
    await aggregator.addCamera('one-more');
    await aggregator.inForce('application one-more {');
    figure('register one more until a publisher is taken: render, check, reload', performance.now() - startedAt, 'ms');
    expect(await aggregator.status()).toBe('ok');

    startedAt = performance.now();
    const { nginxReloads } = await aggregator.facts();
    await Promise.all(Array.from({ length: 200 }, (_, index) => aggregator.addCamera(`more${index}`)));
    await aggregator.inForce('application more199 {');
    figure('register 200 more', performance.now() - startedAt, 'ms');
    const reloads = Number((await aggregator.facts()).nginxReloads) - Number(nginxReloads);
    figure('reloads for 200 more', reloads, '');
    expect(reloads).toBeLessThan(8);
    done = true;
    await asking;
    pauses.sort((a, b) => a - b);
    figure('two API calls meanwhile: median', pauses[Math.floor(pauses.length / 2)]!, 'ms');
    figure('two API calls meanwhile: longest', pauses.at(-1)!, 'ms');
    figure('memory of the master after the reloads', rssOf(aggregator.master()) / 2 ** 20, 'MB');
    figure('memory of the aggregator after it', aggregator.rssBytes() / 2 ** 20, 'MB');
    await waitFor(() => aggregator.oldWorkers().length === 0, { what: 'idle old workers to end' });
  });
});

/** nginx, but a check of a configuration waits for as long as it is held. */
class HeldNginx {
  readonly file: string;
  readonly #held: string;
  readonly #waiting: string;

  constructor(folder: string) {
    this.file = join(folder, 'nginx');
    this.#held = join(folder, 'held');
    this.#waiting = join(folder, 'waiting');
    const script = `#!/bin/sh
if [ "$1" = -T ]; then
  while [ -e '${this.#held}' ]; do
    : > '${this.#waiting}'
    sleep 0.1
  done
  rm -f '${this.#waiting}'
fi
exec nginx "$@"
`;
    writeFileSync(this.file, script, { mode: 0o755 });
  }

  /** Whether a check has come and waits. */
  get isWaiting(): boolean {
    return existsSync(this.#waiting);
  }

  hold(): void {
    writeFileSync(this.#held, '');
  }

  release(): void {
    rmSync(this.#held);
  }
}

/** The state as an earlier life left it. */
function writeState(folder: string): void {
  const createdAt = '2026-01-01T00:00:00.000Z';
  const push = (url: string): object => ({ url, enabled: true, createdAt });
  const cameras = Object.fromEntries(
    Array.from({ length: count }, (_, index) => {
      const name = `cam${index}`;
      const pushes = { a: push(`rtmp://127.0.0.1:9/live/${name}`), b: push(`rtmp://127.0.0.2:9/live/${name}`) };
      return [name, { createdAt, pushes }];
    }),
  );
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'state.json'), JSON.stringify({ version: 1, cameras, engines: {} }));
}
