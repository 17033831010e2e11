import type { WorkerSocket } from './sockets.js';
import type { Statistics, StatStream } from './statistics.js';

/** The publisher of a camera, as the statistics show it. */
export interface Publisher {
  /** nginx's number of the connection. */
  readonly id: string;
  /** Address without a port. */
  readonly host: string;
  readonly sinceMs: number;
  readonly encoder: string;
}

/** A live camera, as the statistics of its worker showed it the last time. */
export interface LiveCamera {
  readonly name: string;
  readonly publisher: Publisher;
  readonly stream: StatStream;
  /** Its connection, when it is known which of the worker's that is: `pid peer:port`. */
  readonly socket: string | null;
}

/** What a worker was given and what is known of it. Old ones go on with the configuration that they have. */
export interface Worker {
  readonly pid: number;
  /** False for one that was found: what it was given is not known. */
  readonly isNamed: boolean;
  /** By camera: the pushes of its configuration. */
  pushes: ReadonlyMap<string, ReadonlySet<string>>;
  /** Of the worker that answers the statistics: now. Of old ones: when they were last asked, less what has ended. */
  cameras: Map<string, LiveCamera>;
}

/** A camera on an old worker. */
export interface OldCamera {
  readonly worker: Worker;
  readonly camera: LiveCamera;
  /** Its connection, when it is known. */
  readonly socket: WorkerSocket | undefined;
  /** How sure it is that it is live; `one-of`: some of the cameras from its address are, and none can tell which. */
  readonly certainty: 'sure' | 'one-of' | 'unknown';
}

/** Handshake and commands are less; a publisher sends more in its first second. */
const publisherMinBytes = 8192;

/** The cameras that the statistics show, with the connections that can be told to be theirs. */
export function liveCameras(
  statistics: Statistics,
  before: Worker | undefined,
  sockets: readonly WorkerSocket[] | undefined,
  rtmpPort: number,
  nowMs: number,
): Map<string, LiveCamera> {
  const cameras = new Map<string, LiveCamera>();
  for (const stream of statistics.streams) {
    const client = stream.clients.find(({ publishing }) => publishing);
    if (client === undefined) continue;
    const other = cameras.get(stream.application);
    // The camera's own stream, or else whatever publishes to its application: nginx pushes that too.
    if (other !== undefined && stream.name !== stream.application) continue;
    const known = before?.cameras.get(stream.application);
    const same = known?.publisher.id === client.id ? known : undefined;
    cameras.set(stream.application, {
      name: stream.application,
      publisher: {
        id: client.id,
        host: client.address,
        sinceMs: same?.publisher.sinceMs ?? nowMs - client.connectedMs,
        encoder: client.encoder,
      },
      stream,
      socket: same?.socket ?? null,
    });
  }
  const own = sockets?.filter((each) => each.pid === statistics.workerPid && isPublisher(each, rtmpPort));
  return own === undefined ? cameras : bindSockets(cameras, own);
}

/** Where one camera and one connection of an address are left, they belong together: most come one after the other. */
function bindSockets(cameras: Map<string, LiveCamera>, sockets: readonly WorkerSocket[]): Map<string, LiveCamera> {
  const taken = new Set([...cameras.values()].map(({ socket }) => socket));
  const free = groupBy(
    sockets.filter((each) => !taken.has(socketKey(each))),
    ({ peerHost }) => peerHost,
  );
  const unbound = groupBy(
    [...cameras.values()].filter(({ socket }) => socket === null),
    ({ publisher }) => publisher.host,
  );
  for (const [host, [camera, ...others]] of unbound) {
    const candidates = free.get(host) ?? [];
    const socket = candidates[0];
    if (camera === undefined || others.length > 0 || socket === undefined || candidates.length > 1) continue;
    cameras.set(camera.name, { ...camera, socket: socketKey(socket) });
  }
  return cameras;
}

/**
 * The cameras that old workers still have. `sockets` undefined: the kernel does not tell; a camera then counts as there
 * while its worker is, which ends only when its last connection has.
 */
export function oldCameras(
  workers: readonly Worker[],
  sockets: readonly WorkerSocket[] | undefined,
  rtmpPort: number,
): OldCamera[] {
  return workers.flatMap((worker) => {
    const cameras = [...worker.cameras.values()];
    if (sockets === undefined) {
      return cameras.map((camera) => ({ worker, camera, socket: undefined, certainty: 'unknown' as const }));
    }
    const own = sockets.filter((each) => each.pid === worker.pid && isPublisher(each, rtmpPort));
    const byKey = new Map(own.map((each) => [socketKey(each), each]));
    const bound = new Set(cameras.map(({ socket }) => socket));
    const loose = groupBy(
      own.filter((each) => !bound.has(socketKey(each))),
      ({ peerHost }) => peerHost,
    );
    const found: OldCamera[] = [];
    for (const camera of cameras) {
      const socket = camera.socket === null ? undefined : byKey.get(camera.socket);
      if (socket !== undefined) found.push({ worker, camera, socket, certainty: 'sure' });
    }
    const unbound = groupBy(
      cameras.filter(({ socket }) => socket === null),
      ({ publisher }) => publisher.host,
    );
    for (const [host, group] of unbound) {
      const left = loose.get(host)?.length ?? 0;
      if (left === 0) continue;
      const certainty = left >= group.length ? 'sure' : 'one-of';
      for (const camera of group) found.push({ worker, camera, socket: undefined, certainty });
    }
    return found;
  });
}

/** A connection from outside that mostly sends: a viewer's mostly receives. */
export function isPublisher(socket: WorkerSocket, rtmpPort: number): boolean {
  return (
    socket.localPort === rtmpPort &&
    socket.bytesReceived >= publisherMinBytes &&
    socket.bytesReceived > socket.bytesAcknowledged
  );
}

export function isViewer(socket: WorkerSocket, rtmpPort: number): boolean {
  return (
    socket.localPort === rtmpPort &&
    socket.bytesAcknowledged >= publisherMinBytes &&
    socket.bytesAcknowledged > socket.bytesReceived
  );
}

export function socketKey(socket: WorkerSocket): string {
  return `${socket.pid} ${socket.peerHost}:${socket.peerPort} ${socket.localPort}`;
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}
