import { writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { freePort } from '../../test/support/ports.js';
import { Child, untilListening } from '../child.js';
import type { Adapter, CameraPlan } from './adapter.js';
import { type GivenProgram, givenProgram, missingProgram } from './program.js';

const program: GivenProgram = {
  variable: 'SRS',
  advice:
    'build https://github.com/ossrs/srs in its folder trunk, with ./configure --sanitizer=off --extra-flags=-O2 && make',
};

/**
 * Everything as it comes, but one address and no HTTP. Where a stream goes is asked of a backend when it is published:
 * a list of destinations would have all targets of a camera use its own application and stream name.
 */
function configuration(folder: string, port: number, backendPort: number): string {
  return `listen 127.0.0.1:${port};
max_connections 4000;
daemon off;
pid ${folder}/srs.pid;
srs_log_tank console;
srs_log_level_v2 warn;
ff_log_dir ${folder};
vhost __defaultVhost__ {
  forward {
    enabled on;
    backend http://127.0.0.1:${backendPort}/;
  }
}
`;
}

/** Answers which targets a stream has (`on_forward`; full.conf of SRS describes it). */
async function startBackend(cameras: readonly CameraPlan[]): Promise<Server> {
  const targets = new Map(cameras.map((camera) => [camera.name, camera.targets]));
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const { stream } = JSON.parse(Buffer.concat(parts).toString()) as { stream: string };
      const body = JSON.stringify({ code: 0, data: { urls: targets.get(stream) ?? [] } });
      response.writeHead(200, { 'content-type': 'application/json', connection: 'close' }).end(body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

export const srs: Adapter = {
  name: 'srs',
  unavailable: () => missingProgram(program),
  start: async (folder, cameras, variables = {}) => {
    const file = givenProgram(program);
    const backend = await startBackend(cameras);
    const port = await freePort();
    const settings = join(folder, 'srs.conf');
    writeFileSync(settings, configuration(folder, port, (backend.address() as AddressInfo).port));
    const child = new Child(file, ['-c', settings], { cwd: folder, env: { ...process.env, ...variables } });
    // It keeps nobody waiting for its end.
    backend.unref();
    await untilListening('SRS', child, port, 10_000);
    return {
      pid: child.pid,
      publishUrl: (camera) => `rtmp://127.0.0.1:${port}/${camera}/${camera}`,
      addPush: undefined,
      output: () => child.output,
      stop: async () => {
        await child.stop();
        backend.close();
      },
    };
  },
};
