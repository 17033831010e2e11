/** A process of publishers: the cameras. It is told what to do by its parent. */
import type { Socket } from 'node:net';
import { createTraffic, cycleMs } from '../traffic.js';
import { monotonicUs } from './clock.js';
import type { FromPublisher, PublisherReport, ToPublisher } from './protocol.js';
import { openPublisher } from './rtmp-publisher.js';
import { createSchedule } from './schedule.js';

interface Camera {
  readonly camera: number;
  readonly socket: Socket;
  /** Events before the first key frame are left out. */
  isStarted: boolean;
  video: number;
  audio: number;
}

/** How often it looks what is due; several cameras' messages leave together then, as they do with a busy network card. */
const tickMs = 1;
/** Connections that are made at once. */
const openAtOnce = 20;
/** How many samples of its own lateness are kept. */
const lateSlots = 1 << 16;

const cameras: Camera[] = [];
let bitrateBps = 0;
let timer: NodeJS.Timeout | undefined;
let bytes = 0;
let messages = 0;
let mostQueuedBytes = 0;
const lateMs = new Float64Array(lateSlots);
let lateCount = 0;
let markedCpu = process.cpuUsage();
let isClosing = false;

function tell(message: FromPublisher): void {
  process.send?.(message);
}

async function connect(message: Extract<ToPublisher, { do: 'connect' }>): Promise<void> {
  bitrateBps = message.bitrateBps;
  const queue = message.cameras.map((entry, index) => ({ ...entry, index }));
  const worker = async (): Promise<void> => {
    for (let entry = queue.shift(); entry !== undefined; entry = queue.shift()) {
      const { camera, url, index } = entry;
      const socket = await openPublisher(url);
      socket.on('close', () => {
        if (!isClosing) tell({ tell: 'failed', reason: `the server closed the connection of camera ${camera}` });
      });
      cameras[index] = { camera, socket, isStarted: false, video: 0, audio: 0 };
    }
  };
  await Promise.all(Array.from({ length: openAtOnce }, worker));
  tell({ tell: 'connected' });
}

function go(): void {
  const traffic = createTraffic(bitrateBps);
  const schedule = createSchedule(traffic, cameras.length, 7);
  const { atMs, templates } = schedule;
  const keyFrame = traffic.video[0];
  const startMs = performance.now();
  let next = 0;
  let cycle = 0;

  const send = (index: number, dueMs: number, nowMs: number): void => {
    const camera = cameras[schedule.camera[index] ?? 0];
    const template = templates[index];
    if (camera === undefined || template === undefined) return;
    const { socket } = camera;
    if (!camera.isStarted) {
      if (template !== keyFrame) return;
      camera.isStarted = true;
      socket.write(traffic.opening);
    }
    const data = template.bytes;
    const sequence = template.kind === 'video' ? camera.video++ : camera.audio++;
    data.writeUInt32BE(sequence, template.stampAt);
    data.writeDoubleBE(monotonicUs(), template.stampAt + 4);
    socket.write(data);
    bytes += data.length;
    messages++;
    lateMs[lateCount++ % lateSlots] = nowMs - dueMs;
    // What the kernel did not take at once is still to be read from the buffer: it must not be written to again.
    const queued = socket.writableLength;
    if (queued > 0) {
      template.bytes = Buffer.from(data);
      if (queued > mostQueuedBytes) mostQueuedBytes = queued;
    }
  };

  const tick = (): void => {
    const nowMs = performance.now();
    for (;;) {
      const dueMs = startMs + cycle * cycleMs + (atMs[next] ?? 0);
      if (dueMs > nowMs) break;
      send(next, dueMs, nowMs);
      next++;
      if (next === atMs.length) {
        next = 0;
        cycle++;
      }
    }
  };
  timer = setInterval(tick, tickMs);
  tell({ tell: 'started' });
}

function mark(): void {
  bytes = 0;
  messages = 0;
  mostQueuedBytes = 0;
  lateCount = 0;
  markedCpu = process.cpuUsage();
  tell({ tell: 'marked' });
}

function report(): PublisherReport {
  const { user, system } = process.cpuUsage(markedCpu);
  const late = lateMs.slice(0, Math.min(lateCount, lateSlots)).sort();
  const lateP99Ms = late[Math.floor(late.length * 0.99)] ?? 0;
  return { bytes, messages, lateP99Ms, mostQueuedBytes, cpuSeconds: (user + system) / 1e6 };
}

process.on('message', (message: ToPublisher) => {
  switch (message.do) {
    case 'connect':
      connect(message).catch((error: unknown) => tell({ tell: 'failed', reason: String(error) }));
      break;
    case 'go':
      go();
      break;
    case 'mark':
      mark();
      break;
    case 'report':
      tell({ tell: 'report', report: report() });
      break;
    case 'stop':
      clearInterval(timer);
      tell({ tell: 'stopped', sent: cameras.map(({ camera, video, audio }) => ({ camera, video, audio })) });
      break;
    case 'close':
      isClosing = true;
      for (const { socket } of cameras) socket.destroy();
      tell({ tell: 'closed' });
      break;
  }
});

process.on('disconnect', () => process.exit());
