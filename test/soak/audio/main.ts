import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { PublishClient } from '../../../src/rtmp/publish-client.js';
import { MessageType } from '../../../src/wire/message.js';
import { type SickTarget, serve, startTarget, until } from '../../push/targets.js';
import { makeFrame } from '../frames.js';
import { runMain } from '../run-main.js';
import { ProcessSubject } from '../subject.js';

const help = `npm run soak -- --audio [options]

  --cameras N  with one target each (default 20)
  --seconds N  (default 60)

Cameras send 25 frames and 47 audio messages a second in real time; in the middle third, the video of each stands still every
other second. Exit code 1 when a target got anything else than its camera sent, in another order, when the audio comes
later, against the frame next to it, than --audio-window allows, or when it stops with the video.`;

const { values } = parseArgs({
  options: {
    audio: { type: 'boolean' },
    cameras: { type: 'string', default: '20' },
    seconds: { type: 'string', default: '60' },
    help: { type: 'boolean' },
  },
});

/** The default of --audio-window. */
const windowMs = 30;
const frameMs = 40;
const audioMs = 1024 / 48;

interface Sent {
  readonly hash: string;
  readonly isVideo: boolean;
  readonly atMs: number;
  /** The video of its camera stood still. */
  readonly isFrozen: boolean;
}

interface Arrived {
  readonly hash: string;
  readonly atMs: number;
}

const hashOf = (type: number, payload: Buffer): string => createHash('sha1').update(payload).digest('hex') + type;

/** A camera that sends in real time, and its target. */
class Camera {
  readonly sent: Sent[] = [];
  readonly arrived: Arrived[] = [];
  readonly #client: PublishClient;
  readonly #target: SickTarget;
  #timer: NodeJS.Timeout | null = null;

  private constructor(client: PublishClient, target: SickTarget) {
    this.#client = client;
    this.#target = target;
  }

  static async start(subject: ProcessSubject, name: string): Promise<Camera> {
    const target = await startTarget((socket, self) => serve(socket, self, {}));
    await subject.addCamera(name);
    await subject.addPush(name, 'target', target.url);
    const client = new PublishClient({ url: subject.url(name), connectTimeoutMs: 20_000 });
    await client.connect();
    const camera = new Camera(client, target);
    target.media.push = (...messages) => {
      for (const { type, payload } of messages)
        if (type !== MessageType.DataAmf0)
          camera.arrived.push({ hash: hashOf(type, payload), atMs: performance.now() });
      return 0;
    };
    return camera;
  }

  send(seconds: number): void {
    const beganMs = performance.now() + Math.random() * frameMs;
    let frames = 0;
    let sounds = 0;
    this.#timer = setInterval(() => {
      const nowMs = performance.now() - beganMs;
      const isMiddle = nowMs > (seconds * 1000) / 3 && nowMs < (seconds * 2000) / 3;
      for (;;) {
        const [videoAt, audioAt] = [frames * frameMs, sounds * audioMs];
        if (Math.min(videoAt, audioAt) > nowMs) return;
        const isFrozen = isMiddle && Math.floor(nowMs / 1000) % 2 === 0;
        if (videoAt <= audioAt) {
          if (!isFrozen) this.#write(MessageType.Video, videoAt, makeFrame(1, frames, frames % 50 === 0), isFrozen);
          frames++;
        } else {
          const sound = Buffer.alloc(200, sounds);
          sound.set([0xaf, 1]);
          sound.writeUInt32BE(sounds, 2);
          this.#write(MessageType.Audio, audioAt, sound, isFrozen);
          sounds++;
        }
      }
    }, 1);
  }

  #write(type: number, atMs: number, payload: Buffer, isFrozen: boolean): void {
    this.#client.write(type, Math.round(atMs), payload);
    const isVideo = type === MessageType.Video;
    this.sent.push({ hash: hashOf(type, payload), isVideo, atMs: performance.now(), isFrozen });
  }

  async stop(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    await until(() => this.arrived.length >= this.sent.length, 20_000, 'all that was sent').catch(() => {});
    await this.#client.close();
    await this.#target.close();
  }

  /** The same messages in the same order: the target begins with the first key frame, which is the first message. */
  get isWhole(): boolean {
    return this.sent.length === this.arrived.length && this.sent.every(({ hash }, i) => hash === this.arrived[i]?.hash);
  }

  /** How much longer audio took than the frame before it did, milliseconds; of what came while video stood still, how long. */
  *lateness(isFrozen: boolean): Generator<number> {
    let videoTookMs = 0;
    for (const [i, { isVideo, atMs, isFrozen: wasFrozen }] of this.sent.entries()) {
      const tookMs = (this.arrived[i]?.atMs ?? Number.NaN) - atMs;
      if (isVideo) videoTookMs = tookMs;
      else if (wasFrozen === isFrozen) yield tookMs - videoTookMs;
    }
  }
}

function percentile(sorted: readonly number[], share: number): number {
  return Math.round((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN) * 10) / 10;
}

async function main(): Promise<number> {
  const count = Number(values.cameras);
  const seconds = Number(values.seconds);
  if (!(count > 0) || !(seconds >= 6)) {
    console.error(help);
    return 2;
  }
  const subject = new ProcessSubject();
  await subject.start();
  const cameras = await Promise.all(Array.from({ length: count }, (_, i) => Camera.start(subject, `cam-${i}`)));
  for (const camera of cameras) camera.send(seconds);
  await sleep(seconds * 1000);
  await Promise.all(cameras.map((camera) => camera.stop()));
  await subject.stop();
  const failures: string[] = [];
  const broken = cameras.filter(({ isWhole }) => !isWhole).length;
  if (broken > 0) failures.push(`${broken} targets got other messages than were sent, or in another order`);
  for (const isFrozen of [false, true]) {
    const late = cameras.flatMap((camera) => [...camera.lateness(isFrozen)]).sort((a, b) => a - b);
    const [p50, p99] = [percentile(late, 0.5), percentile(late, 0.99)];
    const what = isFrozen ? 'while the video stood still' : 'beside video';
    console.log(`audio later than the frame before it, ${what}: ${late.length} messages, p50 ${p50} ms, p99 ${p99} ms`);
    if (!(p99 <= windowMs)) failures.push(`audio ${what} is ${p99} ms late; the window is ${windowMs} ms`);
  }
  console.log(`${cameras.reduce((sum, { arrived }) => sum + arrived.length, 0)} messages at ${count} targets`);
  for (const failure of failures) console.error(`FAILED: ${failure}`);
  return failures.length > 0 ? 1 : 0;
}

await runMain(values.help === true ? help : undefined, main);
