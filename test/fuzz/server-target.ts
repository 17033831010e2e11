import { cameraIn, cameraInApplication, type StreamPlace } from '../../src/address/stream-place.js';
import { NativeCamera } from '../../src/backend/native/camera.js';
import type { CameraContext } from '../../src/backend/native/camera-context.js';
import { NodeCapacity } from '../../src/backend/native/node-capacity.js';
import { NativeRelaying } from '../../src/backend/native/relaying.js';
import { SourceTools } from '../../src/backend/native/source-tools.js';
import { defaultSettings } from '../../src/config/index.js';
import { CodedError } from '../../src/errors.js';
import { turnLine } from '../../src/fairness/turn-line.js';
import { SlateClips } from '../../src/ingest/slate-clips.js';
import type { Logger } from '../../src/log/log.js';
import { Dialer } from '../../src/net/dialer.js';
import { TargetWatch } from '../../src/push/target-watch.js';
import { FlushScheduler } from '../../src/relay/flush-scheduler.js';
import type { Flushable } from '../../src/relay/flushable.js';
import type { LiveStream } from '../../src/relay/live-stream.js';
import { Outlet } from '../../src/relay/outlet.js';
import { SlabPool } from '../../src/relay/slab-pool.js';
import { ServerConnection } from '../../src/rtmp/server-connection.js';
import type { StreamRequest } from '../../src/rtmp/server-session.js';
import type { PlayGrant, PublishGrant, StreamHost } from '../../src/rtmp/stream-host.js';
import { isVideoFrame, isVideoKeyFrame } from '../../src/wire/flv.js';
import { mutateBytes, splitIntoSteps } from './byte-mutation.js';
import { ChunkCheck } from './chunk-check.js';
import { FakeSocket } from './fake-socket.js';
import { Finding, type FuzzTarget, type Input, type Step } from './input.js';
import type { Random } from './random.js';
import { addressedTo, type Seeds } from './seeds.js';
import { mutateSession } from './session-mutation.js';

const cameras = ['cam0', 'cam1'];
const handshakeReplyBytes = 3073;
/** What a peer that reads nothing may make us keep: its share of a stream, and our answers. */
const maxPendingBytes = 3 << 20;
const media = { ...defaultSettings().media, maxMessageBytes: 1 << 20, queueMaxBytes: 1 << 20, gopMaxBytes: 1 << 20 };
const settings = { ...media, publishGraceMs: 1000 };

/** Flushes when told, so that what a flush throws belongs to the input that caused it. */
class ManualScheduler extends FlushScheduler {
  readonly #waiting = new Set<Flushable>();

  override schedule(item: Flushable): void {
    this.#waiting.add(item);
  }

  flushNow(): void {
    const items = [...this.#waiting];
    this.#waiting.clear();
    for (const item of items) item.flush(performance.now());
  }
}

/** A target's end of a push: reads back what the outlet writes, and holds it against the rules. */
class CheckedSink {
  full = false;
  pendingBytes = 0;
  readonly #check: ChunkCheck;
  readonly #written: Buffer[] = [];
  #sawFrame = false;

  constructor(chunkBytes: number) {
    this.#check = new ChunkCheck(chunkBytes, [8, 9, 18], (type, payload) => {
      if (type !== 9 || this.#sawFrame || !isVideoFrame(payload)) return;
      this.#sawFrame = true;
      if (!isVideoKeyFrame(payload)) throw new Finding('output', 'the first picture of an outlet is no key frame');
    });
  }

  /** Reads what was written, when no time is taken: it costs more than the writing. */
  check(): void {
    for (const data of this.#written.splice(0)) this.#check.feed(data);
    if (!this.#check.complete) throw new Finding('output', 'an outlet wrote a part of a message');
  }

  write(data: Buffer): boolean {
    this.#written.push(data);
    if (this.full) this.pendingBytes += data.length;
    return !this.full;
  }
}

/** A whole aggregator without sockets: cameras, connections, and outlets such as pushes have. */
class MemoryAggregator implements StreamHost {
  readonly cameras = new Map<string, NativeCamera>();
  readonly sinks: { sink: CheckedSink; outlet: Outlet }[] = [];
  readonly scheduler = new ManualScheduler();
  readonly log: Logger;
  readonly #seen = new Set<LiveStream>();

  constructor() {
    const failed = (message: string, fields?: object): void => {
      throw new Finding('internal', `${message} ${JSON.stringify(fields)}`);
    };
    // What a message says ends nothing.
    const warn = (message: string, fields?: { readonly reason?: unknown }): void => {
      if (/^RTMP_(AMF|MESSAGE)/.test(String(fields?.reason))) failed(message, fields);
    };
    this.log = { debug() {}, info() {}, warn, error: failed, child: () => this.log };
    // One camera whose publisher gives way to every newcomer, and one that keeps its own.
    for (const [index, name] of cameras.entries()) {
      const dialer = new Dialer();
      const context: CameraContext = {
        settings: { ...settings, publishTakeoverMs: index === 0 ? 0 : 60_000 },
        ...{ log: this.log, scheduler: this.scheduler, watch: new TargetWatch(), pool: new SlabPool(), nodeId: '00ff' },
        dialer,
        hops: { settings, watch: new TargetWatch(), dialer: new Dialer() },
        relaying: new NativeRelaying({ touched: (name) => this.cameras.get(name) }),
        capacity: new NodeCapacity({ outBps: null, cameras: null }),
        slates: new SlateClips('none'),
        mayKeep: () => true,
        pulls: new SourceTools(settings),
        claim: () => undefined,
      };
      this.cameras.set(name, new NativeCamera(name, context));
    }
  }

  connect(info: { app: string }): void {
    const name = cameraInApplication(info.app);
    if (name !== '') this.#camera(name);
  }

  cameraOf(place: StreamPlace): string | undefined {
    return this.cameras.get(cameraIn(place) ?? '')?.name;
  }

  admitPublisher(request: StreamRequest): PublishGrant {
    return (publisher) => {
      const camera = this.#camera(cameraIn(request));
      const ingest = camera.door.publish(publisher);
      const { stream } = camera;
      if (stream !== null && !this.#seen.has(stream)) {
        this.#seen.add(stream);
        this.#attach(stream, 65_536, 1);
        this.#attach(stream, 128, 7);
      }
      return ingest;
    };
  }

  admitViewer(request: StreamRequest): PlayGrant {
    return (viewer) => this.#camera(cameraIn(request)).viewing.play(viewer);
  }

  #attach(stream: LiveStream, chunkBytes: number, streamId: number): void {
    const sink = new CheckedSink(chunkBytes);
    const limits = { queueMaxBytes: 200_000, queueMaxAgeMs: 5000 };
    const outlet = new Outlet({ sink, format: { chunkBytes, streamId, publishing: true }, limits });
    this.sinks.push({ sink, outlet });
    stream.attach(outlet, performance.now());
  }

  #camera(name: string | null): NativeCamera {
    const camera = name === null ? undefined : this.cameras.get(name);
    if (camera !== undefined) return camera;
    throw new CodedError('PUBLISH_NOT_REGISTERED', 'no such camera');
  }
}

/** Turns in which what one step brings is to be done. */
const maxTurns = 10_000;

/** One peer, and the check of all that is said to it. */
class Peer {
  readonly socket: FakeSocket;
  readonly connection: ServerConnection;
  readonly #check = new ChunkCheck(128, [1, 3, 4, 5, 6, 8, 9, 18, 20], () => {});
  readonly #written: Buffer[] = [];
  #handshakeLeft = handshakeReplyBytes;

  constructor(aggregator: MemoryAggregator, number: number) {
    this.socket = new FakeSocket(number, (data) => this.#written.push(data));
    this.connection = new ServerConnection({
      socket: this.socket,
      ...{ settings, host: aggregator, log: aggregator.log, onClosed() {} },
    });
  }

  check(): void {
    for (const data of this.#written.splice(0)) {
      const rest = data.subarray(Math.min(this.#handshakeLeft, data.length));
      this.#handshakeLeft -= data.length - rest.length;
      if (rest.length === 0) continue;
      this.#check.feed(rest);
    }
    // A message may take two writes of a turn.
    if (!this.#check.complete) throw new Finding('output', 'a part of a message was written to a peer');
  }
}

/** Publishers, players and strangers, all at once, against the listener's side of everything. */
export function serverTarget(seeds: Seeds): FuzzTarget {
  const others = seeds.clients.flatMap(({ messages }) => addressedTo('cam0', messages));
  return {
    name: 'server',
    weight: 10,
    generate(random) {
      const count = random.pick([1, 1, 2, 3, 4]);
      const lanes = Array.from({ length: count }, (_, to) => conversation(seeds, random, others, to));
      return interleave(lanes, random);
    },
    run,
  };
}

function conversation(seeds: Seeds, random: Random, others: Parameters<typeof mutateSession>[3], to: number): Step[] {
  const seed = random.pick(seeds.clients);
  const messages = addressedTo(random.pick(cameras), seed.messages);
  // Not always the whole: the beginning, and some of the media behind it.
  const kept = random.oneIn(3) ? messages : messages.slice(0, seed.opening + random.int(20));
  const handshake = random.oneIn(30) ? mutateBytes(seed.handshake, random, 3) : seed.handshake;
  const bytes = Buffer.concat([handshake, mutateSession(kept, random, cameras, others)]);
  const steps = splitIntoSteps(bytes, random, to);
  const event = (what: Step['what']): Step => ({ to, what, data: Buffer.alloc(0) });
  if (random.oneIn(4)) steps.splice(random.int(steps.length), 0, event('full'));
  if (random.oneIn(4)) steps.splice(random.int(steps.length), 0, event('drain'));
  if (random.oneIn(4)) steps.splice(random.int(steps.length), 0, event('end'));
  return steps;
}

function interleave(lanes: Step[][], random: Random): Input {
  const steps: Step[] = [];
  const left = lanes.filter((lane) => lane.length > 0).map((lane) => lane.reverse());
  while (left.length > 0) {
    const index = random.int(left.length);
    const lane = left[index]!;
    for (let i = random.range(1, 4); i > 0 && lane.length > 0; i--) steps.push(lane.pop()!);
    if (lane.length === 0) left.splice(index, 1);
  }
  return steps;
}

function run(input: Input, timed: (work: () => void) => void): void {
  const aggregator = new MemoryAggregator();
  const peers = new Map<number, Peer>();
  try {
    for (const step of input) {
      const peer = peers.get(step.to) ?? new Peer(aggregator, step.to);
      peers.set(step.to, peer);
      timed(() => act(aggregator, peer, step));
      // What is more than a share of a turn comes in later turns.
      for (let turns = 0; turnLine.isCrowded && turns < maxTurns; turns++) timed(() => turnLine.serve());
      aggregator.scheduler.flushNow();
      for (const each of peers.values()) each.check();
      for (const { sink } of aggregator.sinks) sink.check();
      if (peer.socket.pendingBytes > maxPendingBytes) {
        throw new Finding('memory', `${peer.socket.pendingBytes} bytes wait for a peer that does not read`);
      }
    }
    for (const { socket } of peers.values()) socket.lose();
    for (const [name, camera] of aggregator.cameras) {
      const { live, viewers } = camera.snapshot(performance.now());
      if (live || (viewers ?? 0) > 0) {
        throw new Finding('leak', `${name}: live ${live}, viewers ${viewers}, and all connections are gone`);
      }
    }
  } finally {
    for (const { socket } of peers.values()) socket.lose();
    for (const camera of aggregator.cameras.values()) {
      camera.close(new CodedError('PUBLISH_NOT_REGISTERED', 'the end')).catch(() => {});
    }
  }
}

function act(aggregator: MemoryAggregator, { socket }: Peer, step: Step): void {
  switch (step.what) {
    case 'data':
      socket.receive(step.data);
      break;
    case 'end':
      socket.close();
      break;
    case 'full':
      socket.full = true;
      for (const { sink } of aggregator.sinks) sink.full = true;
      break;
    case 'drain':
      socket.drain();
      for (const { sink, outlet } of aggregator.sinks) {
        sink.full = false;
        sink.pendingBytes = 0;
        outlet.resume(performance.now());
      }
  }
  aggregator.scheduler.flushNow();
}
