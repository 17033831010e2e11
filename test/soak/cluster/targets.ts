import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { ServerSession } from '../../../src/rtmp/server-session.js';
import { isVideoFrame } from '../../../src/wire/flv.js';
import { readFrame } from '../frames.js';

/** A connection that sent nothing for so long sends anew when it does: what was in between counts as silence. */
const silenceMs = 1000;

/** One stretch without silence of one connection. */
interface Stretch {
  readonly fromMs: number;
  toMs: number;
}

interface Arrival {
  readonly atMs: number;
  readonly epoch: number;
  readonly number: number;
}

/** What came of one push. */
class Stream {
  readonly arrivals: Arrival[] = [];
  readonly stretches: Stretch[] = [];
  altered = 0;
  /** Gaps that did not end at a key frame. */
  badStarts = 0;
  connections = 0;
}

/** What a push went through since a moment. */
export interface PushReport {
  /** The longest time without a picture, milliseconds. */
  readonly interruptionMs: number;
  /** Pictures of its camera that never came, of a camera that did not connect anew; with one that did, those within a life. */
  readonly missing: number;
  readonly altered: number;
  readonly badStarts: number;
  /** The longest time in which two connections sent pictures of it, milliseconds. */
  readonly twiceMs: number;
  readonly pictures: number;
  /** Connections or encoders' lives that pictures came from. */
  readonly lives: number;
}

/** Targets for all pushes: each stream name is one. Pictures prove themselves by their hash. */
export class HashingTargets {
  readonly #streams = new Map<string, Stream>();
  readonly #server: Server = createServer({ noDelay: true }, (socket) => this.#serve(socket));
  #address = '';

  async listen(address: string): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, address, resolve));
    this.#address = `${address}:${(this.#server.address() as AddressInfo).port}`;
  }

  get address(): string {
    return this.#address;
  }

  close(): void {
    this.#server.close();
  }

  /** Forgets what is older: a window begins. */
  forget(): void {
    for (const stream of this.#streams.values()) {
      stream.arrivals.splice(0, stream.arrivals.length - 1);
      const last = stream.stretches.at(-1);
      stream.stretches.splice(0, stream.stretches.length, ...(last === undefined ? [] : [last]));
      stream.altered = 0;
      stream.badStarts = 0;
    }
  }

  /** Milliseconds since the last picture of a push; infinite: there was none. */
  silentMs(name: string): number {
    return performance.now() - (this.#streams.get(name)?.arrivals.at(-1)?.atMs ?? Number.NEGATIVE_INFINITY);
  }

  /** True when one connection alone sent pictures of it within the last second. */
  isSentOnce(name: string): boolean {
    const sinceMs = performance.now() - silenceMs;
    return this.#streams.get(name)?.stretches.filter(({ toMs }) => toMs > sinceMs).length === 1;
  }

  report(name: string): PushReport {
    const { arrivals, stretches, altered, badStarts } = this.#streams.get(name) ?? new Stream();
    let interruptionMs = this.silentMs(name);
    const newest = new Map<number, number>();
    const seen = new Map<number, Set<number>>();
    for (const [index, { atMs, epoch, number }] of arrivals.entries()) {
      const before = arrivals[index - 1];
      if (before !== undefined) interruptionMs = Math.max(interruptionMs, atMs - before.atMs);
      newest.set(epoch, Math.max(newest.get(epoch) ?? 0, number));
      const numbers = seen.get(epoch) ?? new Set();
      seen.set(epoch, numbers.add(number));
    }
    let missing = 0;
    for (const [epoch, numbers] of seen) missing += newest.get(epoch)! - Math.min(...numbers) + 1 - numbers.size;
    let twiceMs = 0;
    for (const [index, one] of stretches.entries()) {
      for (const other of stretches.slice(index + 1)) {
        twiceMs = Math.max(twiceMs, Math.min(one.toMs, other.toMs) - Math.max(one.fromMs, other.fromMs));
      }
    }
    return { interruptionMs, missing, altered, badStarts, twiceMs, pictures: arrivals.length, lives: seen.size };
  }

  #serve(socket: Socket): void {
    let stream: Stream | undefined;
    let stretch: Stretch | undefined;
    let last = { epoch: -1, number: -1 };
    const session: ServerSession = new ServerSession({
      handler: {
        onConnect: () => session.acceptConnect(),
        onPublish: ({ streamId, streamName }) => {
          stream = this.#streams.get(streamName) ?? new Stream();
          this.#streams.set(streamName, stream);
          stream.connections++;
          session.acceptPublish(streamId);
        },
        onPlay() {},
        onMedia: (_streamId, type, _timestampMs, payload) => {
          if (type !== 9 || stream === undefined || !isVideoFrame(payload)) return;
          const frame = readFrame(payload);
          if (frame === null) {
            stream.altered++;
            return;
          }
          const atMs = performance.now();
          const follows = frame.epoch === last.epoch && frame.number === last.number + 1;
          if (!follows && !frame.isKey) stream.badStarts++;
          last = frame;
          stream.arrivals.push({ atMs, epoch: frame.epoch, number: frame.number });
          if (stretch === undefined || atMs - stretch.toMs > silenceMs) {
            stretch = { fromMs: atMs, toMs: atMs };
            stream.stretches.push(stretch);
          } else {
            // What was forgotten meanwhile is still going on.
            if (!stream.stretches.includes(stretch)) stream.stretches.push(stretch);
            stretch.toMs = atMs;
          }
        },
        onUnpublish() {},
        onStop() {},
        onPause() {},
      },
      write: (data) => socket.write(data),
      limits: {
        ...{ maxMessageBytes: 1 << 23, maxChunkStreams: 64, maxPartialBytes: 1 << 24 },
        ...{ maxCommandBytes: 1 << 16, maxAmfDepth: 32 },
      },
      outChunkBytes: 4096,
    });
    socket.on('error', () => {});
    socket.on('data', (data) => {
      try {
        session.receive(data);
      } catch {
        socket.destroy();
      }
    });
  }
}
