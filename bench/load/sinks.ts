/** A process of sinks: what the server under test pushes to. It is told what to do by its parent. */
import { createServer } from 'node:net';
import type { FromSink, SentCounts, SinkReport, SinkTotals, ToSink } from './protocol.js';
import { SinkConnection } from './sink-connection.js';
import { TargetCounts } from './target-counts.js';

const targets = new Map<string, TargetCounts>();
let measures = false;
let markedCpu = process.cpuUsage();
let markedBytes = 0;
let markedMessages = 0;

function tell(message: FromSink): void {
  process.send?.(message);
}

/** Targets that nobody announced are made as they come: those that are added while the camera is live. */
function targetOf(app: string): TargetCounts {
  let target = targets.get(app);
  if (target === undefined) {
    target = new TargetCounts(app, -1, measures);
    targets.set(app, target);
  }
  return target;
}

function sum(of: (target: TargetCounts) => number): number {
  let total = 0;
  for (const target of targets.values()) total += of(target);
  return total;
}

function forgetLatencies(target: TargetCounts): void {
  target.videoLatenciesUs = [];
  target.audioLatenciesUs = [];
}

function report(): SinkReport {
  const { user, system } = process.cpuUsage(markedCpu);
  const announced = [...targets.values()].filter(({ camera }) => camera >= 0);
  return {
    bytes: sum(({ bytes }) => bytes) - markedBytes,
    messages: sum(({ messages }) => messages) - markedMessages,
    videoLatenciesUs: Float64Array.from(announced.flatMap(({ videoLatenciesUs }) => videoLatenciesUs)),
    audioLatenciesUs: Float64Array.from(announced.flatMap(({ audioLatenciesUs }) => audioLatenciesUs)),
    cpuSeconds: (user + system) / 1e6,
  };
}

function totals(sent: readonly SentCounts[]): SinkTotals {
  let lost = 0;
  const examples: string[] = [];
  const ofCamera = new Map(sent.map((counts) => [counts.camera, counts]));
  for (const { app, camera, video, audio } of targets.values()) {
    const counts = ofCamera.get(camera);
    if (counts === undefined) continue;
    const lostHere = video.lost(counts.video) + audio.lost(counts.audio);
    lost += lostHere;
    if (lostHere > 0 && examples.length < 3) {
      examples.push(
        `${app}: video ${video.received} received, ${video.missing} missing, next ${video.next} of ${counts.video}; ` +
          `audio ${audio.received} received, ${audio.missing} missing, next ${audio.next} of ${counts.audio}`,
      );
    }
  }
  return { lost, repeated: sum(({ video, audio }) => video.repeated + audio.repeated), examples };
}

function listen(message: Extract<ToSink, { do: 'listen' }>): void {
  measures = message.measures;
  for (const { app, camera } of message.targets) targets.set(app, new TargetCounts(app, camera, measures));
  const server = createServer({ noDelay: true }, (socket) => new SinkConnection(socket, targetOf));
  server.listen({ host: '127.0.0.1', port: 0, backlog: 1024 }, () => {
    const address = server.address();
    if (typeof address === 'object' && address !== null) tell({ tell: 'listening', port: address.port });
  });
}

process.on('message', (message: ToSink) => {
  switch (message.do) {
    case 'listen':
      listen(message);
      break;
    case 'status':
      tell({ tell: 'status', flowing: sum(({ video, audio }) => Number(video.received > 0 && audio.received > 0)) });
      break;
    case 'mark':
      markedCpu = process.cpuUsage();
      markedBytes = sum(({ bytes }) => bytes);
      markedMessages = sum(({ messages }) => messages);
      for (const target of targets.values()) forgetLatencies(target);
      tell({ tell: 'marked' });
      break;
    case 'report':
      tell({ tell: 'report', report: report() });
      break;
    case 'totals':
      tell({ tell: 'totals', totals: totals(message.sent) });
      break;
    case 'firstPictures': {
      const entries = [...targets.values()].map(({ app, firstPictureUs }) => [app, firstPictureUs] as const);
      tell({ tell: 'firstPictures', atUs: Object.fromEntries(entries) });
      break;
    }
  }
});

process.on('disconnect', () => process.exit());
