/**
 * Runs deploy/compose.yaml and deploy/compose.cluster.yaml by a real Docker daemon, and looks at what a user would: streams
 * that arrive, a node that dies, one that is drained, an orderly end. For scripts/deploy.sh, which brings the images.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { apiOf, atTheEnd, attempt, camera, expect, output, pictureAt, removeLeft, say, tell, until } from './lib.mjs';

const [program, ...words] = (process.env.COMPOSE ?? 'docker compose').split(' ');

/** docker compose for some files, as the documents say it, but for the project's name: there may be a real one of that name. */
function compose(name, files, env = {}) {
  const named = ['--project-name', `media-aggregator-trial-${name}`];
  const chosen = files.flatMap((file) => ['-f', `deploy/${file}`]);
  const all = (args) => [...words, ...named, ...chosen, ...args];
  const run = (...args) => output(program, all(args), { env });
  const up = (...args) => {
    const { code, stderr } = attempt(program, all([...args, '--detach', '--no-build']), { env });
    if (code === 0) return;
    const logs = attempt(program, all(['logs', '--tail', '15']), { env }).stdout;
    throw new Error(`${args.join(' ')}: ${stderr.slice(-1500)}\n${logs.slice(-6000)}`);
  };
  atTheEnd(() => run('--profile', '*', 'down', '--volumes', '--timeout', '20'));
  return {
    run,
    up,
    /** The program in a node's container. */
    exec: (service, ...args) => run('exec', '-T', service, ...args),
    id: (service) => run('ps', '--all', '--quiet', service).trim(),
  };
}

const adminToken = (project, service) => project.exec(service, 'cat', '/var/lib/media-aggregator/admin-token').trim();

const stateOf = (id) => JSON.parse(output('docker', ['inspect', '--format', '{{json .State}}', id]));

async function alone() {
  say('compose.yaml');
  const project = compose('alone', ['compose.yaml'], { SRT_PORT: '8890' });
  project.up('--profile', 'demo', 'up');
  await pictureAt('the demo camera', 'http://localhost:8080/hls/demo.m3u8');
  const page = await (await fetch('http://localhost:8080/?demo')).text();
  expect('the page of the engine is served', page.includes('player.js'));
  const outside = await fetch('http://localhost:5000/status');
  expect(`a call from outside without a token is refused (${outside.status})`, outside.status === 401);
  const call = apiOf('http://localhost:5000', adminToken(project, 'aggregator'));
  const { srtEndpoint } = await call('GET', '/v1/cameras/demo');
  expect(`SRT_PORT has it listen for SRT (${srtEndpoint})`, srtEndpoint?.startsWith('srt://localhost:8890') === true);
  await socketMode(project, call, 'with the profile of the daemon');

  const uring = compose('alone', ['compose.yaml', 'compose.uring.yaml']);
  uring.up('up', 'aggregator');
  const again = apiOf('http://localhost:5000', adminToken(uring, 'aggregator'));
  // A machine that is too busy to try it within 10 s goes without; so it is asked again.
  const isUsed = async () => (await socketMode(uring, again, 'with compose.uring.yaml')) === 'uring';
  await until('io_uring is used with our profile', isUsed, 120_000);
  withoutUring();
  const { Id } = JSON.parse(output('docker', ['inspect', uring.id('aggregator')]))[0];
  uring.run('stop', 'aggregator');
  const { ExitCode } = stateOf(Id);
  expect(`"stop" ends it in order (${ExitCode})`, [0, 143].includes(ExitCode));
  project.run('--profile', 'demo', 'down', '--volumes');
  expect('"down" leaves no container', project.run('--profile', 'demo', 'ps', '--all', '--quiet').trim() === '');
}

/** As with the profiles of newer Dockers, which refuse io_uring: it is said, and gone without. */
function withoutUring() {
  const profile = JSON.parse(readFileSync('deploy/seccomp/media-aggregator.json', 'utf8'));
  for (const rule of profile.syscalls) rule.names = rule.names.filter((name) => !name.startsWith('io_uring_'));
  const folder = mkdtempSync(join(tmpdir(), 'media-aggregator-seccomp-'));
  atTheEnd(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'without.json'), JSON.stringify(profile));
  const options = ['--rm', '--cap-drop', 'ALL', '--security-opt', `seccomp=${join(folder, 'without.json')}`];
  const { stdout, stderr } = attempt('docker', ['run', ...options, 'media-aggregator', 'doctor']);
  const line = (stdout + stderr).split('\n').find((each) => each.includes('socket-mode')) ?? '';
  expect(`without its three calls: ${line}`, /auto: direct \(.*seccomp/.test(line));
}

async function socketMode(project, call, when) {
  await until(`ready ${when}`, async () => (await call('GET', '/status')).status === 'ok');
  const log = project.exec('aggregator', 'media-aggregator', 'doctor', '--rtmp-port', '0', '--api-port', '0', '--json');
  const mode = /socket-mode auto: (\w+)[^"\\]*/.exec(log);
  say(`${when}: ${mode?.[0]}`);
  return mode?.[1];
}

const nodes = { 'berlin-1': 5000, 'berlin-2': 5001, 'paris-1': 5002 };

async function cluster() {
  say('compose.cluster.yaml');
  const secret = 'deploy/cluster-secret';
  if (!existsSync(secret)) {
    atTheEnd(() => rmSync(secret));
    writeFileSync(secret, output('openssl', ['rand', '-hex', '32']), { mode: 0o600 });
    output('chown', ['10001', secret]);
  }
  const project = compose('cluster', ['compose.cluster.yaml'], { SRT: 'on' });
  project.up('up');
  const listed = () => project.exec('berlin-1', 'media-aggregator', 'node', 'list');
  const areThree = () => Object.keys(nodes).every((name) => listed().includes(name));
  await until('node list has three nodes', areThree, 180_000);
  say(`node list:\n${listed()}`);
  const call = Object.fromEntries(
    Object.entries(nodes).map(([name, port]) => [name, apiOf(`http://127.0.0.1:${port}`, adminToken(project, name))]),
  );
  await until('both engines are registered', async () => {
    const { items } = await call['paris-1']('GET', '/v1/engines');
    return items.length === 2;
  });
  const ownerOf = async (node) => (await call[node]('GET', '/v1/cameras/gate')).node;

  const { endpoint, endpoints } = await call['berlin-2']('POST', '/registerCamera', {
    name: 'gate',
    location: 'berlin',
  });
  expect(`registerCamera answers ${endpoint}, and ${endpoints?.length} in all`, endpoints?.length === 3);
  const { srtEndpoint } = await call['paris-1']('GET', '/v1/cameras/gate');
  expect(`SRT=on has the nodes take SRT (${srtEndpoint})`, /^srt:\/\/[^/]+:889[012]/.test(srtEndpoint ?? ''));
  const urls = [];
  for (const location of ['berlin', 'paris']) {
    const { url } = await call['paris-1']('POST', '/getStream', { name: 'gate', location });
    urls.push(url);
  }
  expect(`getStream at another node names an engine of each place: ${urls}`, /:8080\/.*:8081\//.test(urls.join()));
  const encoder = camera(endpoints);
  const pictures = async (when) => {
    for (const url of urls) await pictureAt(when, url);
  };
  await pictures('published');
  const first = await ownerOf('paris-1');
  const hops = (await call[first]('GET', '/v1/cameras/gate')).hops ?? [];
  expect(`${first} has it, and one copy goes to ${hops.map(({ to }) => to)}`, hops.length === 1);

  const survivor = Object.keys(nodes).find((name) => name !== first && name !== 'paris-1');
  project.run('kill', first);
  await until(`${first} is killed: the camera comes in elsewhere`, async () => {
    const owner = await ownerOf(survivor);
    return owner && owner !== first && !(await call[survivor]('GET', '/v1/cameras/gate')).unknown;
  });
  await pictures('after the kill');
  project.up('up', '--wait', first);
  await until(`${first} is back`, () => project.exec(survivor, 'media-aggregator', 'node', 'list').includes(first));

  const second = await ownerOf(survivor);
  const drained = project.exec(survivor, 'media-aggregator', 'node', 'drain', second, '--over', '3');
  say(`node drain ${second}: ${drained.trim().split('\n').at(-1)}`);
  await until(`${second} is drained: the camera is elsewhere`, async () => {
    const owner = await ownerOf(survivor);
    return owner && owner !== second;
  });
  await pictures('after the drain');

  const third = await ownerOf(survivor);
  const begun = Date.now();
  const id = project.id(third);
  project.run('stop', third);
  const { ExitCode } = stateOf(id);
  const took = Math.round((Date.now() - begun) / 1000);
  expect(`"stop" drains ${third} and ends it in order, in ${took} s (${ExitCode})`, [0, 143].includes(ExitCode));
  await pictures('after the stop');

  project.run('kill', 'etcd-2');
  await call[survivor === third ? first : survivor]('POST', '/registerCamera', { name: 'other' });
  expect('a change is made with two members of etcd', true);
  await encoder.stop();
  project.run('down', '--volumes');
  expect('"down" leaves no container', project.run('ps', '--all', '--quiet').trim() === '');
  const volumes = attempt('docker', ['volume', 'ls', '--quiet', '--filter', 'name=media-aggregator-trial-cluster']);
  expect('and no volume with --volumes', volumes.stdout.trim() === '');
}

await tell('compose', async () => {
  removeLeft();
  const chosen = process.argv.slice(2);
  if (chosen.length === 0 || chosen.includes('alone')) await alone();
  if (chosen.length === 0 || chosen.includes('cluster')) await cluster();
});
