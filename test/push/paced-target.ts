import type { Socket } from 'node:net';
import { defaultSettings } from '../../src/config/index.js';
import { silentLogger } from '../../src/log/log.js';
import { Dialer } from '../../src/net/dialer.js';
import { Push } from '../../src/push/push.js';
import { TargetWatch } from '../../src/push/target-watch.js';
import { FlushScheduler } from '../../src/relay/flush-scheduler.js';
import type { ServerSession } from '../../src/rtmp/server-session.js';
import { ChunkStreamId, MessageType } from '../../src/wire/message.js';
import { frame, metadata, videoHeader } from '../relay/fixtures.js';
import { FedStream } from '../support/fed-stream.js';
import { type SickTarget, serve, startTarget } from './targets.js';

export interface Arrival {
  readonly number: number;
  readonly isKey: boolean;
  readonly latencyMs: number;
}

const gopFrames = 25;

/** Gives control messages their whole headers, so that any of them may be left out. */
class ControlHeaders {
  #type = 0;

  /** @param data one message @returns its type, where it is a control message */
  whole(data: Buffer): { type: number | undefined; bytes: Buffer } {
    const first = data[0] ?? 0;
    if ((first & 0x3f) !== ChunkStreamId.Control) return { type: undefined, bytes: data };
    const headerBytes = [12, 8, 4, 1][first >> 6] ?? 1;
    if (headerBytes >= 8) this.#type = data[7] ?? 0;
    const payload = data.subarray(headerBytes);
    const header = Buffer.alloc(12);
    header[0] = ChunkStreamId.Control;
    header.writeUIntBE(payload.length, 4, 3);
    header[7] = this.#type;
    return { type: this.#type, bytes: Buffer.concat([header, payload]) };
  }
}

/** A camera of 50 frames a second, and a push of it to a target that reads at a rate. */
export async function startPaced(options: {
  cameraBytesPerSecond: number;
  /** What the target reads in a second; may change. */
  rate: () => number;
  /** What becomes of the target's session, before its first byte. */
  prepare?: (session: ServerSession, socket: Socket) => void;
  /** False: the target's acknowledgements are lost. */
  acknowledges?: () => boolean;
  /** False: its answers to pings are lost. */
  answersPings?: () => boolean;
  /** False: the camera sends nothing. */
  sends?: () => boolean;
  stallTimeoutMs?: number;
  /** What of its bytes the target counts. */
  scale?: number;
  queueMaxAgeMs?: number;
  /** Takes what ends the test's things. */
  onTestFinished: (end: () => Promise<void>) => void;
}) {
  const { cameraBytesPerSecond, rate, acknowledges = () => true, queueMaxAgeMs = 2000 } = options;
  const { answersPings = () => true, sends = () => true, stallTimeoutMs = 4000 } = options;
  const settings = { ...defaultSettings().media, stallTimeoutMs, queueMaxAgeMs, pushRetryMinMs: 200 };
  const sentMs: number[] = [];
  const arrivals: Arrival[] = [];
  const target: SickTarget = await startTarget((socket, self) => {
    const control = new ControlHeaders();
    const slow = {
      on: (_event: 'data', take: (data: Buffer) => void) => {
        // Reads by the clock, from a socket that is paused: what it does not read fills the kernel's buffers.
        let lastMs = performance.now();
        let credit = 0;
        const timer = setInterval(() => {
          const nowMs = performance.now();
          const bytesPerSecond = rate();
          // One that stops reads nothing any more, not even what it might have. On a busy machine a look may come half a second
          // late, and it reads at its rate nevertheless.
          const most = Math.max(65_536, bytesPerSecond / 2);
          credit = bytesPerSecond === 0 ? 0 : Math.min(credit + ((nowMs - lastMs) * bytesPerSecond) / 1000, most);
          lastMs = nowMs;
          while (credit >= 1) {
            const data: unknown = socket.read(Math.min(Math.floor(credit), Math.max(1, socket.readableLength)));
            if (!Buffer.isBuffer(data)) break;
            credit -= data.length;
            const before = self.media.length;
            take(data);
            for (const { type, payload } of self.media.slice(before)) {
              if (type !== MessageType.Video || payload[1] !== 1) continue;
              const number = payload.readUInt32BE(5);
              const latencyMs = performance.now() - (sentMs[number] ?? Number.NaN);
              arrivals.push({ number, isKey: payload[0] === 0x17, latencyMs });
            }
          }
        }, 10);
        socket.on('close', () => clearInterval(timer));
        socket.on('readable', () => {});
      },
      write: (data: Buffer) => {
        const { type, bytes } = control.whole(data);
        if (type === MessageType.Acknowledgement) {
          bytes.writeUInt32BE(Math.floor(bytes.readUInt32BE(12) * (options.scale ?? 1)), 12);
          if (acknowledges()) socket.write(bytes);
        } else if (type !== MessageType.UserControl || answersPings()) socket.write(bytes);
      },
    };
    serve(slow as unknown as Socket, self, {
      ...(options.prepare === undefined ? {} : { session: (session) => options.prepare?.(session, socket) }),
    });
  });
  options.onTestFinished(() => target.close());
  const stream = new FedStream(
    {
      format: { chunkBytes: settings.outChunkBytes, streamId: 1, publishing: true },
      gopMaxBytes: settings.gopMaxBytes,
      scheduler: new FlushScheduler(),
    },
    performance.now(),
  );
  const push = new Push({
    url: target.url,
    shownUrl: target.url,
    enabled: true,
    limits: { queueMaxBytes: settings.queueMaxBytes, queueMaxAgeMs },
    settings,
    watch: new TargetWatch(50),
    dialer: new Dialer(),
    log: silentLogger,
  });
  stream.publish(MessageType.DataAmf0, 0, metadata(320), performance.now());
  stream.publish(MessageType.Video, 0, videoHeader(), performance.now());
  const beganMs = performance.now();
  const camera = setInterval(() => {
    const nowMs = performance.now();
    if (!sends()) return;
    // By the clock: a busy machine's timers come late, and the camera's rate must stay.
    while (sentMs.length * 20 < nowMs - beganMs) {
      const number = sentMs.length;
      stream.publish(
        MessageType.Video,
        number * 20,
        frame(number, number % gopFrames === 0, cameraBytesPerSecond / 50),
        nowMs,
      );
      sentMs.push(nowMs);
    }
  }, 20);
  const ticker = setInterval(() => push.tick(performance.now()), 250);
  options.onTestFinished(async () => {
    clearInterval(camera);
    clearInterval(ticker);
    await push.close();
  });
  push.begin(stream);
  return {
    target,
    push,
    arrivals,
    status: () => push.status(performance.now()) as Required<ReturnType<Push['status']>>,
    sent: () => sentMs.length,
  };
}
