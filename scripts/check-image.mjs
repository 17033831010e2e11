/**
 * The check of scripts/image.sh: runs the images that it built, as their own instructions say (ENTRYPOINT, CMD, USER,
 * ENV, HEALTHCHECK), and follows one camera from ffmpeg to a decoded HLS segment, once for each media backend.
 *
 * Containers of buildah are chroots here: they share the network of the machine, so free ports of 127.0.0.1 are used in
 * place of EXPOSE's, and process 1 is the machine's.
 */
import { spawn, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));

const backends = process.argv.slice(2).length > 0 ? process.argv.slice(2) : ['native', 'nginx'];
const startedAt = Date.now();
/** What is to be undone, the last thing first. */
const cleanups = [];
let passed = 0;

try {
  const aggregator = configuration('media-aggregator');
  checkConfiguration(aggregator);
  for (const backend of backends) await checkStory(backend, aggregator);
  say(`${passed} checks passed in ${Math.round((Date.now() - startedAt) / 1000)} s`);
} catch (error) {
  say(`FAILED: ${error.message}`);
  process.exitCode = 1;
} finally {
  await cleanUp();
}

function checkConfiguration({ config }) {
  expect('not run as root', config.User === 'aggregator');
  expect(
    'ports 1935 and 5000',
    ['1935/tcp', '5000/tcp'].every((port) => port in config.ExposedPorts),
  );
  expect('a volume for the state', '/var/lib/media-aggregator' in config.Volumes);
  expect('tini in front', config.Entrypoint[0] === 'tini' && config.Cmd.join(' ') === 'serve');
  expect('a health check', config.Healthcheck.Test[0] === 'CMD');
}

async function checkStory(backend, aggregator) {
  say(`media backend ${backend}`);
  const [rtmpPort, apiPort, enginePort, hlsPort] = await freePorts(4);
  const { engine, isEngineWell } = startEngine(enginePort, hlsPort);
  const container = from('media-aggregator');
  const node = runImage(container, aggregator, {
    env: {
      MEDIA_AGGREGATOR_BACKEND: backend,
      MEDIA_AGGREGATOR_RTMP_PORT: rtmpPort,
      MEDIA_AGGREGATOR_API_PORT: apiPort,
      MEDIA_AGGREGATOR_HOST: '127.0.0.1',
      container_name: 'image-check',
    },
  });
  const api = `http://127.0.0.1:${apiPort}`;
  // Who calls from outside of the container is another user, and needs a token: here that of the first start.
  let token = '';
  const get = async (path) => {
    const headers = { authorization: `Bearer ${token}` };
    return (await fetch(api + path, { headers, signal: AbortSignal.timeout(5000) })).json();
  };
  const send = async (method, path, body) => {
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` };
    const response = await fetch(api + path, { method, headers, body: JSON.stringify(body) });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return response.json();
  };

  const isUp = async () => (await fetch(`${api}/healthz`, { signal: AbortSignal.timeout(5000) })).ok;
  await until('/healthz answers', isUp, node, 30_000);
  const stranger = await fetch(`${api}/status`, { signal: AbortSignal.timeout(5000) });
  expect(`a call from outside without a token is refused (${stranger.status})`, stranger.status === 401);
  token = inContainer(container, ['cat', '/var/lib/media-aggregator/admin-token']).stdout.trim();
  const isOk = async () => (await get('/status')).status === 'ok';
  await until('/status answers ok', isOk, node, 30_000);
  const user = uidOf(node.child.pid);
  expect(`runs as an ordinary user (uid ${user})`, user > 0);
  const health = inContainer(container, aggregator.config.Healthcheck.Test.slice(1));
  expect(`the health check answers (${health.stdout.trim()})`, health.status === 0);
  const status = inContainer(container, ['media-aggregator', 'status']);
  expect('its own command line finds it', status.status === 0 && status.stdout.includes('image-check'));

  await until('the health check of the engine answers', isEngineWell, engine, 10_000);
  await send('PUT', '/v1/engines/engine', {
    host: '127.0.0.1',
    pushUrl: `rtmp://{host}:${enginePort}/live/{name}`,
    playbackUrl: `http://{host}:${hlsPort}/hls/{name}.m3u8`,
  });
  const { endpoint } = await send('POST', '/registerCamera', { name: 'cam' });
  expect(`registerCamera answers ${endpoint}`, endpoint === `rtmp://127.0.0.1:${rtmpPort}/cam/cam`);
  const stream = await send('POST', '/getStream', { name: 'cam' });
  expect(`getStream answers ${stream.url}`, stream.url === `http://127.0.0.1:${hlsPort}/hls/cam.m3u8`);
  const camera = background('ffmpeg', [
    ...['-nostdin', '-v', 'error', '-re', '-stream_loop', '-1', '-i', 'samples/clip.flv'],
    ...['-c', 'copy', '-f', 'flv', endpoint],
  ]);
  let segment;
  await until(
    'the playlist has a segment',
    async () => {
      const playlist = await (await fetch(stream.url, { signal: AbortSignal.timeout(5000) })).text();
      segment = playlist.split('\n').find((line) => line.endsWith('.ts'));
      return segment !== undefined;
    },
    node,
    60_000,
  );
  const decoded = spawnSync(
    'ffmpeg',
    ['-nostdin', '-v', 'error', '-xerror', '-i', new URL(segment, stream.url).href, '-f', 'null', '-'],
    { encoding: 'utf8' },
  );
  expect(`a segment decodes ${decoded.stderr.trim()}`, decoded.status === 0 && decoded.stderr === '');
  const page = await (await fetch(`http://127.0.0.1:${hlsPort}/`)).text();
  const player = await fetch(`http://127.0.0.1:${hlsPort}/hls.js`);
  expect('the page and its player are served', page.includes('player.js') && (await player.text()).includes('Hls'));

  await camera.stop('SIGINT');
  const ended = await node.stop('SIGTERM');
  expect(`SIGTERM ends it in order (${ended})`, ended === 0);
  await engine.stop('SIGTERM');
  await cleanUp();
}

/** The engine's image with its own configuration, but for the ports. */
function startEngine(rtmpPort, hlsPort) {
  const image = configuration('streaming-engine');
  const container = from('streaming-engine');
  const root = output('buildah', ['mount', container]).trim();
  const shipped = readFileSync(`${root}/etc/nginx/nginx.conf`, 'utf8');
  expect('the engine has the configuration of deploy/', shipped === readFileSync('deploy/engine/nginx.conf', 'utf8'));
  const moved = shipped
    .replace('listen 1935;', `listen 127.0.0.1:${rtmpPort};`)
    .replace('listen 80;', `listen 127.0.0.1:${hlsPort};`);
  output('buildah', ['run', '--isolation', 'chroot', container, '--', 'sh', '-c', 'cat >/etc/nginx/nginx.conf'], moved);
  const health = image.config.Healthcheck.Test.slice(1).map((word) => word.replace('/80 ', `/${hlsPort} `));
  return {
    engine: runImage(container, image, {}),
    isEngineWell: async () => inContainer(container, health).status === 0,
  };
}

function configuration(name) {
  const { Docker } = JSON.parse(output('buildah', ['inspect', '--type', 'image', `localhost/${name}`]));
  return { name, config: Docker.config };
}

function from(image) {
  const container = output('buildah', ['from', `localhost/${image}`]).trim();
  cleanups.push(() => output('buildah', ['rm', container]));
  return container;
}

/** ENTRYPOINT and CMD, with the image's USER, WORKDIR and ENV, which buildah sees to. */
function runImage(container, { config }, { env = {} }) {
  const variables = Object.entries(env).flatMap(([name, value]) => ['--env', `${name}=${value}`]);
  const command = [...(config.Entrypoint ?? []), ...(config.Cmd ?? [])];
  return background('buildah', ['run', '--isolation', 'chroot', ...variables, container, '--', ...command]);
}

function inContainer(container, command) {
  return spawnSync('buildah', ['run', '--isolation', 'chroot', container, '--', ...command], { encoding: 'utf8' });
}

function background(command, args) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      log = (log + text).slice(-20_000);
    });
  }
  const exited = new Promise((resolve) => child.once('close', (code, signal) => resolve(code ?? signal)));
  const kill = () => {
    // The whole tree, because what buildah starts outlives it.
    for (const pid of [...descendants(child.pid), child.pid]) signalTo(pid, 'SIGKILL');
  };
  const running = {
    child,
    get log() {
      return log;
    },
    async stop(signal) {
      signalTo(command === 'buildah' ? firstInContainer(child.pid) : child.pid, signal);
      const timer = setTimeout(kill, 15_000);
      const code = await exited;
      clearTimeout(timer);
      return code;
    },
  };
  cleanups.push(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    kill();
    await exited;
  });
  return running;
}

function signalTo(pid, signal) {
  try {
    process.kill(pid, signal);
  } catch {
    // It is gone already.
  }
}

/** All processes below one, the nearest first. Each thread has children of its own. */
function descendants(pid) {
  const children = threads(pid).flatMap((thread) =>
    procFile(pid, `task/${thread}/children`).split(' ').filter(Boolean),
  );
  return children.map(Number).flatMap((child) => [child, ...descendants(child)]);
}

function threads(pid) {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

/** The container's first process, below buildah's own: tini, or the engine's nginx. */
function firstInContainer(pid) {
  return descendants(pid).find((each) => !procFile(each, 'cmdline').startsWith('buildah')) ?? pid;
}

function procFile(pid, name) {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8');
  } catch {
    return '';
  }
}

function uidOf(pid) {
  return Number(/^Uid:\s+(\d+)/m.exec(procFile(firstInContainer(pid), 'status'))?.[1]);
}

function output(command, args, input = '') {
  const result = spawnSync(command, args, { encoding: 'utf8', input });
  if (result.status !== 0) throw new Error(`${command} ${args.join(' ')}: ${result.stderr || result.error}`);
  return result.stdout;
}

async function until(what, probe, running, timeoutMs) {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const isDone = await probe().catch(() => false);
    if (isDone) return expect(what, true);
    if (running.child.exitCode !== null) throw new Error(`${what}: it ended\n${running.log}`);
    if (Date.now() > deadline) throw new Error(`${what}: not within ${timeoutMs / 1000} s\n${running.log}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

function expect(what, isTrue) {
  if (!isTrue) throw new Error(what);
  passed += 1;
  say(`ok: ${what}`);
}

function say(text) {
  console.log(`image: ${text}`);
}

async function cleanUp() {
  for (let each = cleanups.pop(); each !== undefined; each = cleanups.pop()) {
    try {
      await each();
    } catch (error) {
      say(`could not be cleaned up: ${error.message}`);
    }
  }
}

/** Ports of 127.0.0.1 that are free now. All are held until all are found, so that they differ. */
async function freePorts(count) {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = await Promise.all(
    servers.map(
      (server) => new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server.address().port))),
    ),
  );
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
