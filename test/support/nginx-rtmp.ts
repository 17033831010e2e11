import { chmodSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { nginxRtmpModule } from '../../scripts/peers.mjs';
import { accepts, freePort } from './ports.js';
import { type ProcessExit, type RunningProcess, startProcess } from './process.js';
import type { Scope } from './scope.js';
import { waitFor } from './wait.js';

/** A real nginx with the RTMP module: application `live`, everything that arrives is recorded as FLV. */
export interface NginxRtmp {
  readonly port: number;
  /** `rtmp://127.0.0.1:PORT/live/NAME` */
  url(name: string): string;
  /** Recordings of a stream since the last start, oldest first. */
  recordings(name: string): string[];
  /** Waits for the n-th (from 0) recording of a stream to exist. */
  recording(name: string, index?: number, timeoutMs?: number): Promise<string>;
  /** The error log of all starts, at level info: each publish, deleteStream and disconnect has a line. */
  log(): string;
  readonly process: RunningProcess;
  start(): Promise<void>;
  kill(): Promise<ProcessExit>;
}

export interface NginxRtmpOptions {
  /** False: not started yet, the port is only chosen. */
  started?: boolean;
  chunkSize?: number;
}

export async function startNginxRtmp(scope: Scope, options: NginxRtmpOptions = {}): Promise<NginxRtmp> {
  const port = await freePort();
  const folder = scope.temporaryFolder('nginx-rtmp-');
  chmodSync(folder, 0o755);
  const module = nginxRtmpModule();
  if (module === undefined) throw new Error('the RTMP module of nginx is not installed');
  let starts = 0;
  let running: RunningProcess | undefined;
  const earlierLogs: string[] = [];
  const recordFolder = (): string => join(folder, `recordings-${starts}`);

  // One process, in the foreground: what is killed is all there is. The access log would be one that only root may write.
  const configuration = (): string => `
    load_module ${module};
    daemon off; master_process off; worker_processes 1;
    pid ${folder}/nginx.pid; error_log stderr info;
    events { worker_connections 1024; }
    rtmp {
      access_log off;
      server {
        listen 127.0.0.1:${port};
        chunk_size ${options.chunkSize ?? 4096};
        application live {
          live on;
          record all; record_path ${recordFolder()}; record_suffix .flv; record_unique on;
        }
      }
    }
  `;

  const recordings = (name: string): string[] =>
    readdirSync(recordFolder())
      .filter((file) => file.startsWith(`${name}-`) && file.endsWith('.flv'))
      .sort()
      .map((file) => join(recordFolder(), file));

  const nginx: NginxRtmp = {
    port,
    url: (name) => `rtmp://127.0.0.1:${port}/live/${name}`,
    recordings,
    recording: (name, index = 0, timeoutMs = 30_000) =>
      waitFor(() => recordings(name)[index], { what: `recording ${index} of ${name}`, timeoutMs, intervalMs: 5 }),
    log: () => earlierLogs.join('') + (running?.stderr ?? ''),
    get process() {
      if (running === undefined) throw new Error('nginx was not started');
      return running;
    },
    async start() {
      if (running !== undefined) earlierLogs.push(running.stderr);
      starts += 1;
      mkdirSync(recordFolder());
      const file = join(folder, `nginx-${starts}.conf`);
      writeFileSync(file, configuration());
      const nginxArguments = ['-p', folder, '-e', 'stderr', '-c', file];
      const started = startProcess(scope, 'nginx', nginxArguments, { name: `nginx-rtmp on ${port}` });
      running = started;
      await waitFor(() => started.exit !== undefined || accepts(port), { what: `nginx on ${port}`, intervalMs: 5 });
      if (started.exit !== undefined) throw new Error(`nginx does not start: ${started.stderr}`);
    },
    kill: () => nginx.process.stop('SIGKILL'),
  };
  if (options.started !== false) await nginx.start();
  return nginx;
}
