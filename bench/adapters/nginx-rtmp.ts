import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../../test/support/ports.js';
import { Child, untilListening } from '../child.js';
import { root } from '../paths.js';
import type { Adapter, CameraPlan } from './adapter.js';

/** One application for each camera, with its pushes: what nginx-rtmp offers for redirecting cameras one by one. */
function nginxConfiguration(module: string, folder: string, port: number, cameras: readonly CameraPlan[]): string {
  const applications = cameras.map(
    ({ name, targets }) =>
      `    application ${name} {\n      live on;\n${targets.map((url) => `      push ${url};\n`).join('')}    }\n`,
  );
  return `load_module ${module};
daemon off;
master_process off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid ${folder}/nginx.pid;
error_log stderr error;
events { worker_connections 16384; }
rtmp {
  access_log off;
  server {
    listen 127.0.0.1:${port};
    chunk_size 4096;
${applications.join('')}  }
}
`;
}

interface Peers {
  readonly searchPath: string;
  nginxRtmpModule(): string | undefined;
}

async function findPeers(): Promise<Peers> {
  return (await import(join(root, 'scripts/peers.mjs'))) as Peers;
}

export const nginxRtmp: Adapter = {
  name: 'nginx-rtmp',
  unavailable: async () =>
    (await findPeers()).nginxRtmpModule() === undefined
      ? 'not installed (Debian, Ubuntu: nginx, libnginx-mod-rtmp)'
      : undefined,
  start: async (folder, cameras, variables = {}) => {
    const { nginxRtmpModule, searchPath } = await findPeers();
    const port = await freePort();
    chmodSync(folder, 0o755);
    const file = join(folder, 'nginx.conf');
    writeFileSync(file, nginxConfiguration(nginxRtmpModule() ?? '', folder, port, cameras));
    const child = new Child('nginx', ['-p', folder, '-e', 'stderr', '-c', file], {
      env: { ...process.env, PATH: searchPath, ...variables },
    });
    await untilListening('nginx', child, port, 10_000);
    return {
      pid: child.pid,
      publishUrl: (camera) => `rtmp://127.0.0.1:${port}/${camera}/${camera}`,
      addPush: undefined,
      output: () => child.output,
      stop: () => child.stop(),
    };
  },
};
