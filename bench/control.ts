/** npm run bench:control: what the control plane costs with much state. See docs/performance.md. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { sleep } from './child.js';
import {
  diskBytesWritten,
  drive,
  driveAtRate,
  type Latencies,
  type PacedLatencies,
  slowMs,
} from './control-plane/requests.js';
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
  --minutes N    how long each rate is held (default 1); shown are the whole time, and the worst 8 s of it
  --rates-only   the program's start with all the state and the rates, nothing else
  --seconds N    how long each other kind of request is sent (default 8)
  --folder DIR   where data folders are made: a disk with a real fsync (default: that of temporary files)
  --flag FLAG    a further flag of serve, may be repeated: --flag=--workers=2
  --node FLAG    a flag of Node.js for serve, may be repeated: --node=--v8-pool-size=1
  --out FILE     write the results as JSON
  --profile DIR  write a CPU profile of the server with all the state`;

/** How much state there is, and what comes meanwhile. */
interface Load {
  readonly cameras: number;
  readonly pushesPerCamera: number;
  readonly engines: number;
  readonly live: number;
  readonly clients: number;
  /** Calls a second, each held for `heldMs`. */
  readonly rates: readonly number[];
  readonly heldMs: number;
  /** How long each other kind of request is sent. */
  readonly forMs: number;
}

/** A line of the table, and what the file gets under these names. */
interface Outcome {
  readonly rows: readonly (readonly [what: string, figure: string])[];
  readonly results: Readonly<Record<string, unknown>>;
}

type Start = (state: string, nodeFlags?: readonly string[]) => Promise<Server>;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      cameras: { type: 'string', default: '10000' },
      pushes: { type: 'string', default: '5' },
      engines: { type: 'string', default: '10' },
      live: { type: 'string', default: '100' },
      clients: { type: 'string', default: '20' },
      rates: { type: 'string', default: '100,500' },
      minutes: { type: 'string', default: '1' },
      'rates-only': { type: 'boolean', default: false },
      seconds: { type: 'string', default: '8' },
      folder: { type: 'string' },
      flag: { type: 'string', multiple: true, default: [] },
      node: { type: 'string', multiple: true, default: [] },
      out: { type: 'string' },
      profile: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return console.log(usage);
  const load: Load = {
    cameras: Number(values.cameras),
    pushesPerCamera: Number(values.pushes),
    engines: Number(values.engines),
    live: Number(values.live),
    clients: Number(values.clients),
    rates: values.rates.split(',').map(Number),
    heldMs: Number(values.minutes) * 60_000,
    forMs: Number(values.seconds) * 1000,
  };
  const start: Start = (state, nodeFlags = []) =>
    Server.start(state, values.flag, values.folder, [...values.node, ...nodeFlags]);
  const profiling = values.profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${values.profile}`];

  const outcomes: Outcome[] = values['rates-only'] ? [] : [await idle(load, start)];
  // A process that nobody told to collect its garbage, as those above are.
  const server = await start(stateText(load, load.live), profiling);
  const publishers = new LoadProcess<ToPublisher, FromPublisher>('publishers');
  try {
    await sleep(2000);
    await goLive(publishers, server, load.live);
    // First: what comes below leaves the live cameras hundreds of targets that nobody listens at, each asked for again.
    outcomes.push(await atRates(load, server));
    if (!values['rates-only']) outcomes.push(await withClients(load, server));
    if (publishers.failure !== null) throw new Error(publishers.failure);
  } finally {
    publishers.end();
    await server.stop();
  }

  const rows = outcomes.flatMap((outcome) => outcome.rows);
  const width = Math.max(...rows.map(([what]) => what.length));
  const { cameras, pushesPerCamera, engines, live, clients } = load;
  console.log(`${cameras} cameras, ${cameras * pushesPerCamera} pushes, ${engines} engines, ${live} live\n`);
  for (const [what, figure] of rows) console.log(`${what.padEnd(width)}  ${figure}`);
  if (values.out !== undefined) {
    mkdirSync(dirname(values.out), { recursive: true });
    const results = {
      takenAt: new Date().toISOString(),
      node: process.version,
      load: { cameras, pushesPerCamera, engines, live, clients },
      ...Object.assign({}, ...outcomes.map((outcome) => outcome.results)),
    };
    writeFileSync(values.out, `${JSON.stringify(results, null, 1)}\n`);
  }
}

/** What starts take, and what the process has when nothing comes: without state, and with each part of it. */
async function idle(load: Load, start: Start): Promise<Outcome> {
  const look = async (size: { cameras: number; pushesPerCamera: number; engines: number }) => {
    const server = await start(stateText(size, 0));
    const cpu = cpuSeconds(server);
    await sleep(1000);
    const memory = await server.memory();
    await server.stop();
    return { startMs: server.startMs, cpu, memory };
  };
  const { cameras, pushesPerCamera, engines } = load;
  const empty = await look({ cameras: 0, pushesPerCamera: 0, engines: 0 });
  const bare = await look({ cameras, pushesPerCamera: 0, engines });
  const full = await look({ cameras, pushesPerCamera, engines });
  const used = ({ memory }: typeof full): number => (memory.usedBytes - empty.memory.usedBytes) / cameras;
  const resident = (full.memory.residentBytes - empty.memory.residentBytes) / cameras;
  return {
    rows: [
      ['start without state, to ready', `${(empty.startMs / 1000).toFixed(2)} s`],
      [`start with ${cameras} cameras`, `${(full.startMs / 1000).toFixed(2)} s`],
      ['CPU time of these starts', `${empty.cpu.toFixed(2)} and ${full.cpu.toFixed(2)} s`],
      ['memory of an idle camera without pushes', `${kilobytes(used(bare))} KB`],
      [`memory of an idle camera with ${pushesPerCamera} pushes`, `${kilobytes(used(full))} KB`],
      ['the same, resident memory', `${kilobytes(resident)} KB`],
      ['size of state.json', `${(stateText(load, 0).length / 2 ** 20).toFixed(1)} MB`],
    ],
    results: {
      startMs: { empty: empty.startMs, full: full.startMs },
      startCpuSeconds: { empty: empty.cpu, full: full.cpu },
      bytesPerIdleCamera: { withoutPushes: used(bare), withPushes: used(full), resident },
    },
  };
}

/** Has the first cameras publish. */
async function goLive(
  publishers: LoadProcess<ToPublisher, FromPublisher>,
  { rtmpPort }: Server,
  live: number,
): Promise<void> {
  const cameras = Array.from({ length: live }, (_, camera) => {
    const name = cameraName(camera);
    return { camera, url: `rtmp://127.0.0.1:${rtmpPort}/${name}/${name}` };
  });
  await publishers.ask({ do: 'connect', cameras, bitrateBps: 300_000 }, 'connected', 60_000);
  await publishers.ask({ do: 'go' }, 'started');
  await sleep(2000);
}

/** Calls that come whether or not the ones before were answered. */
async function atRates({ cameras, rates, heldMs }: Load, { apiPort }: Server): Promise<Outcome> {
  const rows: [string, string][] = [];
  const paced: { readonly perSecond: number; readonly latencies: PacedLatencies }[] = [];
  for (const [index, perSecond] of rates.entries()) {
    const make = post('/getStream', (turn) => ({
      name: cameraOf(turn, cameras),
      se_ip: `127.${index + 2}${addressOf(turn).slice(5)}`,
    }));
    const latencies = await driveAtRate(apiPort, perSecond, heldMs, make);
    paced.push({ perSecond, latencies });
    const { partsP99Ms, slow, askedLateMs } = latencies;
    const parts = partsP99Ms.map((ms) => ms.toFixed(0)).join(' ');
    const worst = Math.max(...partsP99Ms).toFixed(1);
    rows.push(
      [`getStream, new push, ${perSecond} a second`, `${figure(latencies)} over ${heldMs / 1000} s`],
      ['  its worst part of 8 s, p99 (of each part)', `${worst} ms (${parts})`],
      [
        `  calls over ${slowMs} ms`,
        `${slow} of ${latencies.requests}; asked ${askedLateMs.toFixed(0)} ms late at most`,
      ],
    );
  }
  return { rows, results: { paced } };
}

/** Clients that each ask again when they have their answer. */
async function withClients(load: Load, server: Server): Promise<Outcome> {
  const { cameras, clients, forMs, engines } = load;
  const { apiPort, child } = server;
  const camera = (turn: number): string => cameraOf(turn, cameras);
  // What the live cameras cost by themselves is no part of what a request costs.
  const idleFrom = cpuSeconds(server);
  const idleMs = performance.now();
  await sleep(3000);
  const mediaCpuPerSecond = (cpuSeconds(server) - idleFrom) / ((performance.now() - idleMs) / 1000);

  const bytesBefore = diskBytesWritten(child.pid);
  const cpuBefore = cpuSeconds(server);
  const beforeMs = performance.now();
  const newPush = post('/getStream', (turn) => ({ name: camera(turn), se_ip: addressOf(turn) }));
  const added = await drive(apiPort, clients, forMs, newPush);
  const addedSeconds = (performance.now() - beforeMs) / 1000;
  const cpuMsPerChange = ((cpuSeconds(server) - cpuBefore - mediaCpuPerSecond * addedSeconds) * 1000) / added.requests;
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
    post('/getStream', (turn) => ({ name: camera(turn), se_ip: addressOf(turn + 50_000) })),
  );
  const register = post('/registerCamera', (turn) => ({ name: `new-${turn}` }));
  const registered = await drive(apiPort, clients, forMs, register);
  const get = (path: (turn: number) => string) => (turn: number) => ({ method: 'GET', path: path(turn) });
  const page = get((turn) => `/v1/cameras?limit=100&after=${camera(turn)}`);
  const listed = await drive(apiPort, 1, forMs / 2, page);
  const seen = await drive(
    apiPort,
    clients,
    forMs / 2,
    get((turn) => `/v1/cameras/${camera(turn)}`),
  );
  const stats = await drive(
    apiPort,
    1,
    forMs / 4,
    get(() => '/stats'),
  );
  return {
    rows: [
      [`getStream, new push, ${clients} clients, p50/p99/max`, figure(added)],
      [`getStream, engine chosen, ${clients} clients`, figure(chosen)],
      ['CPU time of a getStream, new push', `${cpuMsPerChange.toFixed(2)} ms`],
      ['getStream, new push, 1 client', figure(one)],
      [`registerCamera, ${clients} clients`, figure(registered)],
      ['a page of 100 cameras, 1 client', figure(listed)],
      [`one camera, ${clients} clients`, figure(seen)],
      ['/stats, 1 client', figure(stats)],
      ['written to disk for each new push', `${kilobytes(bytesPerChange)} KB`],
    ],
    results: { cpuMsPerChange, getStream: { added, chosen, one }, registered, listed, seen, stats, bytesPerChange },
  };
}

/** Cameras in an order that jumps about, so that live ones come in between. */
function cameraOf(turn: number, cameras: number): string {
  return cameraName((turn * 7919) % cameras);
}

function addressOf(turn: number): string {
  return `127.1.${(turn >> 8) & 255}.${turn & 255}`;
}

function post(path: string, body: (turn: number) => unknown) {
  return (turn: number) => ({ method: 'POST', path, body: body(turn) });
}

function cpuSeconds({ child }: Server): number {
  const { user, system } = cpuOf(processTree(child.pid));
  return user + system;
}

function figure({ p50Ms, p99Ms, maxMs, perSecond }: Latencies): string {
  return `${p50Ms.toFixed(1)} / ${p99Ms.toFixed(1)} / ${maxMs.toFixed(0)} ms, ${perSecond.toFixed(0)}/s`;
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
