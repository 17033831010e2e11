import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Network, Place } from './network.js';
import { Placed } from './programs.js';
import type { PushReport } from './targets.js';

const execute = promisify(execFile);
/** Where Debian puts it. */
export const nginxModule = '/usr/lib/nginx/modules/ngx_rtmp_module.so';
const sampleMs = 50;
/** Of the encoder's pictures. */
const frameMs = 40;

/** One connection's recording, and when it grew. */
interface Recording {
  bytes: number;
  readonly fromMs: number;
  toMs: number;
}

interface Packet {
  readonly codec_type: string;
  readonly stream_index: number;
  readonly dts_time: string;
  readonly flags: string;
}

/**
 * A real nginx-rtmp with an address of its own. It records what arrives; how long nothing did is seen in how the files grow, and
 * what it was by ffprobe and ffmpeg afterwards.
 */
export class RealEngine extends Placed {
  readonly #folder: string;
  readonly #streams = new Map<string, Map<string, Recording>>();
  readonly #silences = new Map<string, number>();
  readonly #timer: NodeJS.Timeout;

  constructor(network: Network, place: Place, folder: string) {
    super(network, place, join(folder, 'nginx.log'));
    this.#folder = join(folder, 'nginx');
    mkdirSync(this.#folder, { mode: 0o755 });
    this.#timer = setInterval(() => this.#sample(), sampleMs).unref();
  }

  pushUrl(name: string): string {
    return `rtmp://${this.place.address}:1935/live/${name}`;
  }

  start(): void {
    const conf = join(this.#folder, 'nginx.conf');
    // A publisher that is silent is ended, so that another one of the same name is let in: else it would have the name as long as
    // its connection stands, which is 15 minutes with a machine that is frozen.
    const text = `load_module ${nginxModule};
daemon off; master_process off; worker_processes 1; pid ${this.#folder}/pid; error_log stderr info;
events { worker_connections 256; }
rtmp { access_log off; server { listen 1935; chunk_size 4096; application live {
  live on; drop_idle_publisher 2s; record all; record_path ${this.#folder}; record_suffix .flv; record_unique on; } } }
`;
    writeFileSync(conf, text);
    this.run('nginx', ['-c', conf, '-p', this.#folder]);
  }

  /** Publishers that it did not take, since another one had the name of the stream. */
  get refusals(): number {
    return this.log.split('already publishing').length - 1;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** Forgets what is older: a window begins. Recordings that are not the newest of their stream are removed. */
  forget(): void {
    this.#silences.clear();
    for (const recordings of this.#streams.values()) {
      const newest = [...recordings.keys()].at(-1);
      for (const file of recordings.keys()) {
        if (file === newest) continue;
        recordings.delete(file);
        rmSync(join(this.#folder, file), { force: true });
      }
    }
  }

  /** Milliseconds since the last bytes of a stream; infinite: there were none. */
  silentMs(name: string): number {
    const recordings = [...(this.#streams.get(name)?.values() ?? [])];
    return performance.now() - Math.max(...recordings.map(({ toMs }) => toMs));
  }

  /** Bytes that were recorded of a stream. */
  bytesOf(name: string): number {
    return [...(this.#streams.get(name)?.values() ?? [])].reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** What came, by what real programs say of it. To be asked when its pushes are ended: a recording that grows ends anywhere. */
  async report(name: string): Promise<PushReport> {
    await sleep(2 * sampleMs);
    const recordings = this.#streams.get(name) ?? new Map<string, Recording>();
    let [missing, altered, badStarts, pictures, lives, twiceMs] = [0, 0, 0, 0, 0, 0];
    for (const file of recordings.keys()) {
      const packets = await packetsOf(join(this.#folder, file));
      const video = packets.filter(({ codec_type }) => codec_type === 'video');
      if (packets.length === 0) continue;
      lives++;
      pictures += video.length;
      if (video[0]?.flags.startsWith('K') !== true) badStarts++;
      for (const index of new Set(packets.map(({ stream_index }) => stream_index))) {
        const times = packets
          .filter(({ stream_index }) => stream_index === index)
          .map(({ dts_time }) => +dts_time * 1000);
        altered += times.filter((time, at) => at > 0 && time < times[at - 1]!).length;
      }
      for (const [at, { dts_time }] of video.entries()) {
        if (at === 0) continue;
        missing += Math.max(0, Math.round(((+dts_time - +video[at - 1]!.dts_time) * 1000) / frameMs) - 1);
      }
      altered += await decodeErrors(join(this.#folder, file));
    }
    const times = [...recordings.values()];
    for (const [index, one] of times.entries()) {
      for (const other of times.slice(index + 1)) {
        twiceMs = Math.max(twiceMs, Math.min(one.toMs, other.toMs) - Math.max(one.fromMs, other.fromMs));
      }
    }
    const interruptionMs = this.#silences.get(name) ?? 0;
    return { interruptionMs, missing, altered, badStarts, twiceMs, pictures, lives };
  }

  #sample(): void {
    const nowMs = performance.now();
    const grown = new Set<string>();
    for (const file of readdirSync(this.#folder)) {
      // NAME-SECONDS.flv
      const name = /^(.*)-[0-9]+\.flv$/.exec(file)?.[1];
      if (name === undefined) continue;
      const bytes = statSync(join(this.#folder, file), { throwIfNoEntry: false })?.size ?? 0;
      const recordings = this.#streams.get(name) ?? new Map<string, Recording>();
      this.#streams.set(name, recordings);
      const known = recordings.get(file);
      if (bytes <= (known?.bytes ?? 13)) continue;
      if (!grown.has(name)) this.#noteSilence(name);
      grown.add(name);
      if (known === undefined) recordings.set(file, { bytes, fromMs: nowMs, toMs: nowMs });
      else [known.bytes, known.toMs] = [bytes, nowMs];
    }
  }

  #noteSilence(name: string): void {
    const silentMs = this.silentMs(name);
    if (Number.isFinite(silentMs)) this.#silences.set(name, Math.max(this.#silences.get(name) ?? 0, silentMs));
  }
}

async function packetsOf(file: string): Promise<readonly Packet[]> {
  const args = ['-v', 'error', '-show_entries', 'packet=codec_type,stream_index,dts_time,flags', '-of', 'json', file];
  const { stdout } = await execute('ffprobe', args, { maxBuffer: 1 << 28 }).catch(() => ({ stdout: '{}' }));
  return (JSON.parse(stdout) as { readonly packets?: readonly Packet[] }).packets ?? [];
}

/** @returns how many lines ffmpeg complains in */
async function decodeErrors(file: string): Promise<number> {
  const { stderr } = await execute('ffmpeg', ['-v', 'error', '-i', file, '-f', 'null', '-'], {
    maxBuffer: 1 << 28,
  }).catch((error: unknown) => ({ stderr: String(error) }));
  return stderr.split('\n').filter((line) => line !== '').length;
}
