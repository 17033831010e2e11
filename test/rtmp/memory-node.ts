import { NativeCamera } from '../../src/backend/native/camera.js';
import type { CameraContext } from '../../src/backend/native/camera-context.js';
import { NodeCapacity } from '../../src/backend/native/node-capacity.js';
import { NativeRelaying } from '../../src/backend/native/relaying.js';
import { SourceTools } from '../../src/backend/native/source-tools.js';
import { defaultSettings } from '../../src/config/index.js';
import { CodedError } from '../../src/errors.js';
import { SlateClips } from '../../src/ingest/slate-clips.js';
import { type Logger, silentLogger } from '../../src/log/log.js';
import { Dialer } from '../../src/net/dialer.js';
import type { MediaSocket, MediaSocketListener } from '../../src/net/media-socket.js';
import { TargetWatch } from '../../src/push/target-watch.js';
import { FlushScheduler } from '../../src/relay/flush-scheduler.js';
import { ServerConnection } from '../../src/rtmp/server-connection.js';
import type { StreamRequest } from '../../src/rtmp/server-session.js';
import type { StreamHost } from '../../src/rtmp/stream-host.js';
import { encodeAmf0 } from '../../src/wire/amf0.js';
import { ChunkReader } from '../../src/wire/chunk-reader.js';
import { encodeMessage } from '../../src/wire/chunk-writer.js';
import { MessageType } from '../../src/wire/message.js';
import { SpoilingPool, videoHeader } from '../relay/fixtures.js';

const { Audio, Video } = MessageType;
/** Of what cameras send. */
const chunkBytes = 65_536;
const handshake = Buffer.concat([Buffer.from([3]), Buffer.alloc(3072)]);
const handshakeReplyBytes = 3073;

/** So small that a viewer that reads nothing for a moment is behind, and slabs are used again at once. */
const settings = {
  ...defaultSettings().media,
  ...{ queueMaxBytes: 300_000, gopMaxBytes: 100_000, publishGraceMs: 0, publishTakeoverMs: 60_000 },
};

/** A message that a peer got. */
export interface Heard {
  readonly type: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

/** A connection in memory. What the peer has no room for is held, not copied, until it takes it. */
export class Peer implements MediaSocket {
  readonly remoteAddress = '127.0.0.1';
  readonly remotePort = 1;
  readonly localPort = 1935;
  readonly readBytes = 16_384;
  destroyed = false;
  bytesRead = 0;
  bytesWritten = 0;
  pendingBytes = 0;
  isFull = false;
  readonly heard: Heard[] = [];
  readonly #held: Buffer[] = [];
  #isPaused = false;
  readonly #unread: Buffer[] = [];
  #listener: MediaSocketListener | null = null;
  #handshakeLeft = handshakeReplyBytes;
  readonly #faults: string[];
  readonly #reader = new ChunkReader(
    (type, _timestampMs, streamId, payload) => this.heard.push({ type, streamId, payload: Buffer.from(payload) }),
    { maxMessageBytes: 1 << 24, maxChunkStreams: 16, maxPartialBytes: 1 << 24 },
  );

  constructor(faults: string[]) {
    this.#faults = faults;
  }

  get progress(): number {
    return this.bytesWritten - this.pendingBytes;
  }

  listen(listener: MediaSocketListener): void {
    this.#listener = listener;
  }

  write(data: Buffer): boolean {
    if (this.destroyed) return false;
    this.bytesWritten += data.length;
    if (this.isFull) {
      this.#held.push(data);
      this.pendingBytes += data.length;
    } else this.#take(data);
    return this.pendingBytes < 8192;
  }

  #take(data: Buffer): void {
    const rest = data.subarray(Math.min(this.#handshakeLeft, data.length));
    this.#handshakeLeft -= data.length - rest.length;
    try {
      this.#reader.feed(rest);
    } catch (error) {
      this.#faults.push(`the peer cannot read what it got: ${error}`);
    }
  }

  /** The peer takes what waits, all of it or some. @param pieces how many writes */
  drain(pieces = Number.POSITIVE_INFINITY): void {
    for (const data of this.#held.splice(0, Math.min(pieces, this.#held.length))) {
      this.#take(data);
      this.pendingBytes -= data.length;
    }
    if (this.pendingBytes > 0) return;
    this.isFull = false;
    // As with io_uring, somewhat later: what was sent may be used again by then.
    setImmediate(() => {
      if (!this.destroyed) this.#listener?.onDrain();
    });
  }

  /** Bytes of the peer. */
  receive(data: Buffer): void {
    this.#unread.push(Buffer.from(data));
    this.#readOn();
  }

  #readOn(): void {
    while (!this.#isPaused && !this.destroyed) {
      const data = this.#unread.shift();
      if (data === undefined) return;
      this.bytesRead += data.length;
      this.#listener?.onData(data);
      data.fill(0xa5);
    }
  }

  lose(): void {
    this.destroyed = true;
    this.#listener?.onClose();
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    setImmediate(() => this.#readOn());
  }

  abandon(): Buffer {
    return Buffer.alloc(0);
  }

  end(): void {
    this.destroyed = true;
  }

  destroy(): void {
    this.destroyed = true;
  }
}

/** Two cameras, and whoever connects. */
export class MemoryNode implements StreamHost {
  readonly cameras = new Map<string, NativeCamera>();
  /** What went wrong inside, and what peers could not read. */
  readonly faults: string[] = [];
  readonly log: Logger;

  constructor(cameraNames: readonly string[]) {
    const note = (message: string, fields?: object): void => {
      this.faults.push(`${message} ${JSON.stringify(fields)}`);
    };
    this.log = { ...silentLogger, error: note, child: () => this.log };
    const scheduler = new FlushScheduler();
    for (const name of cameraNames) {
      const context: CameraContext = {
        ...{ settings, log: this.log, scheduler, watch: new TargetWatch(), pool: new SpoilingPool(), nodeId: '00ff' },
        ...{ dialer: new Dialer(), hops: { settings, watch: new TargetWatch(), dialer: new Dialer() } },
        relaying: new NativeRelaying({ touched: (each) => this.cameras.get(each) }),
        capacity: new NodeCapacity({ outBps: null, cameras: null }),
        slates: new SlateClips('none'),
        mayKeep: () => true,
        pulls: new SourceTools(settings),
        claim: () => undefined,
      };
      this.cameras.set(name, new NativeCamera(name, context));
    }
  }

  connect(): void {}

  admitPublisher(request: StreamRequest) {
    return (publisher: Parameters<NativeCamera['door']['publish']>[0]) => this.#camera(request).door.publish(publisher);
  }

  admitViewer(request: StreamRequest) {
    return (viewer: Parameters<NativeCamera['viewing']['play']>[0]) => this.#camera(request).viewing.play(viewer);
  }

  open(): Peer {
    const socket = new Peer(this.faults);
    new ServerConnection({ socket, settings, host: this, log: this.log, onClosed() {} });
    socket.receive(Buffer.concat([handshake, command(0, 'connect', 1, { app: 'live' })]));
    return socket;
  }

  #camera(request: StreamRequest): NativeCamera {
    const camera = this.cameras.get(request.streamName);
    if (camera !== undefined) return camera;
    throw new CodedError('PUBLISH_NOT_REGISTERED', 'no such camera');
  }
}

/** A command in chunks of 128 bytes. */
export function command(streamId: number, ...values: Parameters<typeof encodeAmf0>): Buffer {
  return encodeMessage(3, MessageType.CommandAmf0, 0, streamId, encodeAmf0(...values), 128);
}

/** A camera of this node that sends what it is told to. */
export class MemoryCamera {
  readonly #node: MemoryNode;
  readonly #name: string;
  #socket: Peer | null = null;
  #ms = 0;

  constructor(node: MemoryNode, name: string) {
    this.#node = node;
    this.#name = name;
  }

  begin(): void {
    if (this.#socket !== null && !this.#socket.destroyed) return;
    this.#socket = this.#node.open();
    this.#socket.receive(command(0, 'createStream', 2, null));
    this.#socket.receive(command(1, 'publish', 3, null, this.#name, 'live'));
    const size = Buffer.alloc(4);
    size.writeUInt32BE(chunkBytes, 0);
    this.#socket.receive(encodeMessage(2, MessageType.SetChunkSize, 0, 0, size, 128));
    this.#socket.receive(encodeMessage(6, Video, 0, 1, videoHeader(), chunkBytes));
  }

  send(type: number, payload: Buffer): void {
    this.begin();
    this.#ms += 20;
    this.#socket?.receive(encodeMessage(type === Audio ? 4 : 6, type, this.#ms, 1, payload, chunkBytes));
  }

  stop(): void {
    this.#socket?.lose();
    this.#socket = null;
  }
}
