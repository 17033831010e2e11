import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../test/support/ports.js';
import { Child, untilListening } from '../child.js';
import type { Adapter } from './adapter.js';

const version = '4.4.3';
/** Kept between benchmarks: it is installed once. */
const home = join(tmpdir(), `aggregator-bench-node-media-server-${version}`);

/** Starts it as its own program does, and adds the relay tasks of a stream when that is published. */
const runner = `
const { readFileSync } = require('node:fs');
const NodeMediaServer = require('node-media-server');
const Context = require('node-media-server/src/core/context.js');
const logger = require('node-media-server/src/core/logger.js');
const { config, targets } = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const server = new NodeMediaServer(config, process.argv[2]);
logger.level = 'error';
server.on('postPublish', (session) => {
  for (const url of targets[session.streamPath] ?? []) {
    Context.relayServer.addTask({ url, mode: 'push', streamPath: session.streamPath });
  }
});
server.run();
process.on('SIGTERM', () => process.exit());
`;

function install(): string | undefined {
  if (existsSync(join(home, 'node_modules/node-media-server'))) return undefined;
  mkdirSync(home, { recursive: true });
  writeFileSync(join(home, 'package.json'), '{ "private": true }');
  const packages = ['install', '--no-audit', '--no-fund', '--ignore-scripts', `node-media-server@${version}`];
  const { status, stderr } = spawnSync('npm', packages, { cwd: home, encoding: 'utf8' });
  return status === 0 ? undefined : `npm could not install it: ${stderr.slice(-500)}`;
}

export const nodeMediaServer: Adapter = {
  name: 'node-media-server',
  unavailable: install,
  start: async (folder, cameras, variables = {}) => {
    const [port, httpPort] = [await freePort(), await freePort()];
    const targets = Object.fromEntries(cameras.map((camera) => [`/${camera.name}/${camera.name}`, camera.targets]));
    const config = {
      bind: '127.0.0.1',
      rtmp: { port },
      http: { port: httpPort },
      store: { path: join(folder, 'data') },
      webadmin: { enable: false },
      record: { auto: false, path: join(folder, 'record') },
      auth: { play: false, publish: false, secret: 'x', jwt: { secret: 'x', users: [] } },
    };
    const file = join(folder, 'config.json');
    writeFileSync(file, JSON.stringify({ config, targets }));
    // Beside its packages, so that it finds them.
    writeFileSync(join(home, 'runner.cjs'), runner);
    const child = new Child(process.execPath, [join(home, 'runner.cjs'), file], {
      cwd: folder,
      env: { ...process.env, ...variables },
    });
    await untilListening('Node-Media-Server', child, port, 15_000);
    return {
      pid: child.pid,
      publishUrl: (camera) => `rtmp://127.0.0.1:${port}/${camera}/${camera}`,
      addPush: undefined,
      output: () => child.output,
      stop: () => child.stop(),
    };
  },
};
