/** npm run bench:control: what the control plane costs with much state. See docs/performance.md. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { sleep } from './child.js';
import { diskBytesWritten, drive, driveAtRate, type Latencies } from './control-plane/requests.js';
import { Server } from './control-plane/server.js';
import { cameraName, stateText } from './control-plane/state.js';
import { LoadProcess } from './load/load-process.js';
import type { FromPublisher, ToPublisher } from './load/protocol.js';
import { cpuOf, processTree } from './measure/proc.js';

const usage = `npm run bench:control -- [OPTIONS]

  --cameras N    cameras in the state (default 10000)
  --pushes N     pushes of each (default 5)
  --engines N    registered engines (default 10)
  --live N       cameras that publish meanwhile, at 300 kbit/s (default 100)
  --clients N    clients that ask at once (default 20)
  --rates N,N    getStreams a second that come whether or not the ones before were answered (default 100,500)
  --seconds N    how long each kind of request is sent (default 8)
  --folder DIR   where data folders are made: a disk with a real fsync (default: that of temporary files)
  --flag FLAG    a further flag of serve, may be repeated: --flag=--workers=2
  --out FILE     write the results as JSON
  --profile DIR  write a CPU profile of the server with all the state`;

interface Row {
  readonly what: string;
  readonly figure: string;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      cameras: { type: 'string', default: '10000' },
      pushes: { type: 'string', default: '5' },
      engines: { type: 'string', default: '10' },
      live: { type: 'string', default: '100' },
      clients: { type: 'string', default: '20' },
      rates: { type: 'string', default: '100,500' },
      seconds: { type: 'string', default: '8' },
      folder: { type: 'string' },
      flag: { type: 'string', multiple: true, default: [] },
      out: { type: 'string' },
      profile: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return console.log(usage);
  const [cameras, pushesPerCamera, engines, live, clients] = [
    values.cameras,
    values.pushes,
    values.engines,
    values.live,
    values.clients,
  ].map(Number) as [number, number, number, number, number];
  const forMs = Number(values.seconds) * 1000;
  const start = (state: string): Promise<Server> => Server.start(state, values.flag, values.folder);

  const cpuSeconds = ({ child }: Server): number => {
    const { user, system } = cpuOf(processTree(child.pid));
    return user + system;
  };

  const empty = await start(stateText({ cameras: 0, pushesPerCamera: 0, engines: 0 }, 0));
  const emptyStartCpu = cpuSeconds(empty);
  await sleep(1000);
  const emptyMemory = await empty.memory();
  const emptyStartMs = empty.startMs;
  await empty.stop();

  const bare = await start(stateText({ cameras, pushesPerCamera: 0, engines }, 0));
  await sleep(1000);
  const bareMemory = await bare.memory();
  await bare.stop();

  const text = stateText({ cameras, pushesPerCamera, engines }, live);
  const { profile } = values;
  const profiling = profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`];
  const server = await Server.start(text, values.flag, values.folder, profiling);
  const startCpu = cpuSeconds(server);
  const publishers = new LoadProcess<ToPublisher, FromPublisher>('publishers');
  try {
    await sleep(2000);
    const memory = await server.memory();
    const publish = (index: number): string => {
      const name = cameraName(index);
      return `rtmp://127.0.0.1:${server.rtmpPort}/${name}/${name}`;
    };
    const published = Array.from({ length: live }, (_, camera) => ({ camera, url: publish(camera) }));
    await publishers.ask({ do: 'connect', cameras: published, bitrateBps: 300_000 }, 'connected', 60_000);
    await publishers.ask({ do: 'go' }, 'started');
    await sleep(2000);
    // What the live cameras cost by themselves is no part of what a request costs.
    const idleFrom = cpuSeconds(server);
    const idleMs = performance.now();
    await sleep(3000);
    const mediaCpuPerSecond = (cpuSeconds(server) - idleFrom) / ((performance.now() - idleMs) / 1000);

    const { apiPort, child } = server;
    // Cameras in an order that jumps about, so that live ones come in between.
    const camera = (turn: number): string => cameraName((turn * 7919) % cameras);
    const address = (turn: number): string => `127.1.${(turn >> 8) & 255}.${turn & 255}`;
    const post = (path: string, body: (turn: number) => unknown) => (turn: number) => ({
      method: 'POST',
      path,
      body: body(turn),
    });
    // First: what comes below leaves the live cameras hundreds of targets that nobody listens at, each asked for again.
    const paced: { readonly perSecond: number; readonly latencies: Latencies }[] = [];
    for (const [index, perSecond] of values.rates.split(',').map(Number).entries()) {
      const make = post('/getStream', (turn) => ({
        name: camera(turn),
        se_ip: `127.${index + 2}${address(turn).slice(5)}`,
      }));
      paced.push({ perSecond, latencies: await driveAtRate(apiPort, perSecond, forMs, make) });
    }
    const bytesBefore = diskBytesWritten(child.pid);
    const cpuBefore = cpuSeconds(server);
    const beforeMs = performance.now();
    const added = await drive(
      apiPort,
      clients,
      forMs,
      post('/getStream', (turn) => ({ name: camera(turn), se_ip: address(turn) })),
    );
    const addedSeconds = (performance.now() - beforeMs) / 1000;
    const cpuMsPerChange =
      ((cpuSeconds(server) - cpuBefore - mediaCpuPerSecond * addedSeconds) * 1000) / added.requests;
    const bytesPerChange = (diskBytesWritten(child.pid) - bytesBefore) / added.requests;
    const chosen = await drive(
      apiPort,
      clients,
      forMs,
      post('/getStream', (turn) => ({ name: camera(turn), location: `hall ${turn % engines}` })),
    );
    const one = await drive(
      apiPort,
      1,
      forMs,
      post('/getStream', (turn) => ({ name: camera(turn), se_ip: address(turn + 50_000) })),
    );
    const registered = await drive(
      apiPort,
      clients,
      forMs,
      post('/registerCamera', (turn) => ({ name: `new-${turn}` })),
    );
    const listed = await drive(apiPort, 1, forMs / 2, (turn) => ({
      method: 'GET',
      path: `/v1/cameras?limit=100&after=${camera(turn)}`,
    }));
    const seen = await drive(apiPort, clients, forMs / 2, (turn) => ({
      method: 'GET',
      path: `/v1/cameras/${camera(turn)}`,
    }));
    const stats = await drive(apiPort, 1, forMs / 4, () => ({ method: 'GET', path: '/stats' }));
    if (publishers.failure !== null) throw new Error(publishers.failure);

    const idleBytes = (memory.usedBytes - emptyMemory.usedBytes) / cameras;
    const idleBareBytes = (bareMemory.usedBytes - emptyMemory.usedBytes) / cameras;
    const idleResident = (memory.residentBytes - emptyMemory.residentBytes) / cameras;
    const latency = ({ p50Ms, p99Ms, maxMs, perSecond }: Latencies): string =>
      `${p50Ms.toFixed(1)} / ${p99Ms.toFixed(1)} / ${maxMs.toFixed(0)} ms, ${perSecond.toFixed(0)}/s`;
    const rows: Row[] = [
      { what: 'start without state, to ready', figure: `${(emptyStartMs / 1000).toFixed(2)} s` },
      { what: `start with ${cameras} cameras`, figure: `${(server.startMs / 1000).toFixed(2)} s` },
      { what: 'CPU time of these starts', figure: `${emptyStartCpu.toFixed(2)} and ${startCpu.toFixed(2)} s` },
      { what: 'memory of an idle camera without pushes', figure: `${kilobytes(idleBareBytes)} KB` },
      { what: `memory of an idle camera with ${pushesPerCamera} pushes`, figure: `${kilobytes(idleBytes)} KB` },
      { what: 'the same, resident memory', figure: `${kilobytes(idleResident)} KB` },
      { what: `getStream, new push, ${clients} clients, p50/p99/max`, figure: latency(added) },
      { what: `getStream, engine chosen, ${clients} clients`, figure: latency(chosen) },
      { what: 'CPU time of a getStream, new push', figure: `${cpuMsPerChange.toFixed(2)} ms` },
      { what: 'getStream, new push, 1 client', figure: latency(one) },
      ...paced.map(({ perSecond, latencies }) => ({
        what: `getStream, new push, ${perSecond} a second`,
        figure: latency(latencies),
      })),
      { what: `registerCamera, ${clients} clients`, figure: latency(registered) },
      { what: 'a page of 100 cameras, 1 client', figure: latency(listed) },
      { what: `one camera, ${clients} clients`, figure: latency(seen) },
      { what: '/stats, 1 client', figure: latency(stats) },
      { what: 'written to disk for each new push', figure: `${kilobytes(bytesPerChange)} KB` },
      { what: 'size of state.json', figure: `${(text.length / 2 ** 20).toFixed(1)} MB` },
    ];
    const width = Math.max(...rows.map(({ what }) => what.length));
    console.log(`${cameras} cameras, ${cameras * pushesPerCamera} pushes, ${engines} engines, ${live} live\n`);
    for (const { what, figure } of rows) console.log(`${what.padEnd(width)}  ${figure}`);
    if (values.out !== undefined) {
      mkdirSync(dirname(values.out), { recursive: true });
      const results = {
        takenAt: new Date().toISOString(),
        node: process.version,
        load: { cameras, pushesPerCamera, engines, live, clients },
        startMs: { empty: emptyStartMs, full: server.startMs },
        startCpuSeconds: { empty: emptyStartCpu, full: startCpu },
        cpuMsPerChange,
        bytesPerIdleCamera: { withoutPushes: idleBareBytes, withPushes: idleBytes, resident: idleResident },
        getStream: { added, chosen, one, paced },
        registered,
        listed,
        seen,
        stats,
        bytesPerChange,
      };
      writeFileSync(values.out, `${JSON.stringify(results, null, 1)}\n`);
    }
  } finally {
    publishers.end();
    await server.stop();
  }
}

function kilobytes(bytes: number): string {
  return (bytes / 1024).toFixed(2);
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    console.error(error);
    process.exit(1);
  },
);
