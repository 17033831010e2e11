import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeCertificate } from '../test/support/certificates.js';
import type { Adapter } from './adapters/adapter.js';
import { nginxRtmp } from './adapters/nginx-rtmp.js';
import { ours } from './adapters/ours.js';
import { sleep } from './child.js';
import { monotonicUs } from './load/clock.js';
import { PacedSink } from './load/paced-sink.js';
import { openPublisher } from './load/rtmp-publisher.js';
import { createSchedule } from './load/schedule.js';
import { root } from './paths.js';
import { createTraffic, cycleMs } from './traffic.js';

/*
 * A target that reads more slowly than its camera sends, and acknowledges all the time: ours and nginx-rtmp before the same
 * target, one after the other. Printed is what the target sees: how often it is published to, which pictures are missing,
 * whether each gap ends at a key frame, and how old pictures are when they arrive.
 *
 *   npm run bench:slow [-- --seconds 75 --reads 66000 --sends 330000]
 */

const seconds = option('seconds', 75);
const readsPerSecond = option('reads', 66_000);
const sendsPerSecond = option('sends', 330_000);
/** Pictures that arrive before that are left out of the latency: nothing is known of the target at first. */
const settledMs = 15_000;

function option(name: string, otherwise: number): number {
  const at = process.argv.indexOf(`--${name}`);
  if (at < 0) return otherwise;
  const value = Number(process.argv[at + 1]);
  if (!(value > 0)) throw new Error(`--${name} needs a number above 0, not ${String(process.argv[at + 1])}`);
  return value;
}

/** Sends like an encoder, by the clock; pictures are numbered from 0. */
class Camera {
  sent = 0;
  readonly #socket: Socket;
  readonly #timer: NodeJS.Timeout;

  constructor(socket: Socket) {
    const traffic = createTraffic(sendsPerSecond * 8);
    const { atMs, templates } = createSchedule(traffic, 1, 1);
    this.#socket = socket;
    socket.write(traffic.opening);
    const beganMs = performance.now();
    let next = 0;
    this.#timer = setInterval(() => {
      const elapsedMs = performance.now() - beganMs;
      for (; ; next++) {
        const index = next % templates.length;
        const template = templates[index];
        const dueMs = Math.floor(next / templates.length) * cycleMs + (atMs[index] ?? 0);
        if (template === undefined || dueMs > elapsedMs) return;
        const bytes = Buffer.from(template.bytes);
        if (template.kind === 'video') {
          bytes.writeUInt32BE(this.sent, template.stampAt);
          bytes.writeDoubleBE(monotonicUs(), template.stampAt + 4);
          this.sent += 1;
        }
        this.#socket.write(bytes);
      }
    }, 5);
  }

  end(): void {
    clearInterval(this.#timer);
    this.#socket.destroy();
  }
}

async function measure(name: string, adapter: Adapter, folder: string, tls: boolean): Promise<string> {
  const missing = await adapter.unavailable();
  if (missing !== undefined) return `| ${name} | ${missing} |`;
  const certificate = tls ? makeCertificate(folder, 'target') : undefined;
  const sink = new PacedSink(
    readsPerSecond,
    certificate && { cert: readFileSync(certificate.certFile), key: readFileSync(certificate.keyFile) },
  );
  const port = await sink.listen();
  const url = `${tls ? 'rtmps://localhost' : 'rtmp://127.0.0.1'}:${port}/live/cam0`;
  const data = mkdtempSync(join(folder, 'data-'));
  const server = await adapter.start(data, [{ name: 'cam0', targets: [url] }]);
  let camera: Camera | undefined;
  try {
    camera = new Camera(await openPublisher(server.publishUrl('cam0')));
    const beganMs = performance.now();
    await sleep(seconds * 1000);
    return row(name, sink, camera.sent, beganMs + settledMs);
  } finally {
    camera?.end();
    await server.stop();
    sink.close();
  }
}

function row(name: string, { arrivals, publishes, connections }: PacedSink, sent: number, settledAtMs: number): string {
  const first = arrivals[0]?.number ?? 0;
  const last = arrivals.at(-1)?.number ?? 0;
  let [jumps, broken] = [0, 0];
  for (const [index, { number, isKey }] of arrivals.entries()) {
    const before = arrivals[index - 1];
    if (before === undefined || number === before.number + 1) continue;
    jumps += 1;
    if (!isKey) broken += 1;
  }
  const latencies = arrivals.filter(({ atMs }) => atMs >= settledAtMs).map(({ latencyMs }) => latencyMs);
  latencies.sort((a, b) => a - b);
  const quantile = (share: number): string =>
    latencies.length === 0
      ? '-'
      : `${((latencies[Math.floor(share * (latencies.length - 1))] ?? 0) / 1000).toFixed(1)} s`;
  const cells = [
    ...[name, `${publishes} (${connections})`, String(arrivals.length)],
    ...[String(last - first + 1 - arrivals.length), String(sent - 1 - last), `${jumps} (${broken})`],
    ...[quantile(0.5), quantile(0.99)],
  ];
  return `| ${cells.join(' | ')} |`;
}

const folder = mkdtempSync(join(tmpdir(), 'media-aggregator-slow-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
const own = (...flags: string[]): Adapter =>
  ours({ name: 'ours', dist: join(root, 'dist'), flags, runtime: [process.execPath] });

console.log(
  `a target that reads ${readsPerSecond / 1000} kB/s of a camera's ${sendsPerSecond / 1000} kB/s, ${seconds} s`,
);
console.log(
  '| sender | publishes (connections) | pictures | lost before the last | behind at the end | jumps (not to a key frame) | p50 | p99 |',
);
console.log('|---|--:|--:|--:|--:|--:|--:|--:|');
console.log(await measure('ours', own(), folder, false));
console.log(await measure('ours, TLS', own('--push-tls-ca', join(folder, 'target.crt')), folder, true));
console.log(await measure('nginx-rtmp', nginxRtmp, folder, false));
process.exit(0);
