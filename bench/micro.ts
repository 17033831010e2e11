/** npm run bench:micro [-- DIST [DIST]]: what the parts cost by themselves; of one build, or of two in turn. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { SourceIngest } from '../src/ingest/source-ingest.js';
import type { LiveStream } from '../src/relay/live-stream.js';
import type { Outlet as OutletClass } from '../src/relay/outlet.js';
import { median } from './measure/stats.js';
import { root } from './paths.js';
import { createTraffic, cycleMs, type Traffic } from './traffic.js';

const bitrateBps = 2_500_000;
const limits = { maxMessageBytes: 1 << 23, maxChunkStreams: 64, maxPartialBytes: 1 << 23 };
const rounds = 7;
const roundMs = 300;

interface Parts {
  readonly reader: typeof import('../src/wire/chunk-reader.js');
  readonly writer: typeof import('../src/wire/chunk-writer.js');
  readonly stream: typeof import('../src/relay/live-stream.js');
  /** Null in builds from before a source had an ingest: there the stream takes messages itself. */
  readonly ingest: typeof import('../src/ingest/source-ingest.js') | null;
  readonly outlet: typeof import('../src/relay/outlet.js');
  readonly scheduler: typeof import('../src/relay/flush-scheduler.js');
}

interface Message {
  readonly type: number;
  readonly timestampMs: number;
  readonly payload: Buffer;
}

/** Does some work once; returns how many messages that were. */
type Work = () => number;

async function load(dist: string): Promise<Parts> {
  const from = (file: string): Promise<unknown> => import(pathToFileURL(join(dist, file)).href);
  return {
    reader: (await from('wire/chunk-reader.js')) as Parts['reader'],
    writer: (await from('wire/chunk-writer.js')) as Parts['writer'],
    stream: (await from('relay/live-stream.js')) as Parts['stream'],
    ingest: (await from('ingest/source-ingest.js').catch(() => null)) as Parts['ingest'],
    outlet: (await from('relay/outlet.js')) as Parts['outlet'],
    scheduler: (await from('relay/flush-scheduler.js')) as Parts['scheduler'],
  };
}

/** What a camera sends in a cycle, as one stretch of bytes. */
function bytesOf(traffic: Traffic): Buffer {
  const parts: Buffer[] = [];
  for (const [i, { bytes }] of traffic.video.entries()) {
    parts.push(bytes);
    for (const audio of traffic.audio.slice(i * 2, i * 2 + 2)) parts.push(audio.bytes);
  }
  return Buffer.concat(parts);
}

function messagesOf(parts: Parts, wire: Buffer): Message[] {
  const messages: Message[] = [];
  const reader = new parts.reader.ChunkReader((type, timestampMs, _streamId, payload) => {
    messages.push({ type, timestampMs, payload: Buffer.from(payload) });
  }, limits);
  reader.feed(chunkSize4096);
  reader.feed(wire);
  return messages;
}

/** The control message that announces chunks of 4096 bytes. */
const chunkSize4096 = Buffer.from('02000000000004010000000000001000', 'hex');

function readerWork(parts: Parts, wire: Buffer, readBytes: number): Work {
  let count = 0;
  const reader = new parts.reader.ChunkReader(() => {
    count++;
  }, limits);
  reader.feed(chunkSize4096);
  const pieces: Buffer[] = [];
  for (let at = 0; at < wire.length; at += readBytes) pieces.push(wire.subarray(at, at + readBytes));
  return () => {
    count = 0;
    for (const piece of pieces) reader.feed(piece);
    return count;
  };
}

function writerWork(parts: Parts, messages: readonly Message[]): Work {
  const target = Buffer.allocUnsafeSlow(1 << 20);
  return () => {
    for (const { type, timestampMs, payload } of messages) {
      parts.writer.writeMessage(target, 0, 6, type, timestampMs, 1, payload, 65_536);
    }
    return messages.length;
  };
}

/** What takes the messages of a source for a stream. */
function feedOf({ ingest }: Parts, stream: LiveStream): Pick<SourceIngest, 'write'> {
  if (ingest === null) {
    const old = stream as unknown as { publish: SourceIngest['write'] };
    return { write: (...message) => old.publish(...message) };
  }
  const source = {
    ...({ id: 'bench', kind: 'publisher', remote: '', encoder: '', via: '', priority: 1 } as const),
    ...{ lastMediaMs: 0, ignoredMessages: 0, close() {} },
  };
  const listener = { onMetadata() {}, onUnreadable() {}, onKeyFrames() {}, onEnded() {} };
  const feed = new ingest.SourceIngest({ source, via: [], withoutKeyFrames: 'pass', listener });
  stream.follow(feed);
  feed.feed(stream);
  return feed;
}

/** A stream with N outlets whose sinks take everything at once and do nothing with it; flushed after each message. */
function fanOutWork(parts: Parts, messages: readonly Message[], outlets: number): Work {
  const format = { chunkBytes: 65_536, streamId: 1, publishing: true };
  const stream = new parts.stream.LiveStream(
    { format, gopMaxBytes: 16 << 20, scheduler: new parts.scheduler.FlushScheduler() },
    performance.now(),
  );
  const feed = feedOf(parts, stream);
  let taken = 0;
  const all: OutletClass[] = Array.from({ length: outlets }, () => {
    const sink = {
      pendingBytes: 0,
      write: (data: Buffer) => {
        taken += data.length;
        return true;
      },
    };
    return new parts.outlet.Outlet({ sink, format, limits: { queueMaxBytes: 8 << 20, queueMaxAgeMs: 5000 } });
  });
  for (const outlet of all) stream.attach(outlet, performance.now());
  let shiftMs = 0;
  return () => {
    const before = taken;
    for (const { type, timestampMs, payload } of messages) {
      const nowMs = performance.now();
      feed.write(type, timestampMs + shiftMs, payload, nowMs);
      stream.flush(nowMs);
    }
    shiftMs += cycleMs;
    if (taken === before && outlets > 0) throw new Error('nothing came out of the outlets');
    return messages.length;
  };
}

/** Nanoseconds a message, over one round. */
function timeRound(work: Work): number {
  const startMs = performance.now();
  let messages = 0;
  while (performance.now() - startMs < roundMs) messages += work();
  return ((performance.now() - startMs) * 1e6) / messages;
}

async function main(): Promise<void> {
  const dists = process.argv.slice(2);
  if (dists.length === 0) dists.push(join(root, 'dist'));
  const wire = bytesOf(createTraffic(bitrateBps));
  const named = await Promise.all(
    dists.map(async (dist) => {
      const parts = await load(dist);
      const messages = messagesOf(parts, wire);
      const works: [string, Work][] = [
        ['ChunkReader, reads of 64 KB', readerWork(parts, wire, 65_536)],
        ['ChunkReader, reads of 1448 bytes', readerWork(parts, wire, 1448)],
        ['writeMessage, chunks of 64 KB', writerWork(parts, messages)],
        ...[1, 8, 100].map((n): [string, Work] => [`LiveStream, ${n} outlets`, fanOutWork(parts, messages, n)]),
      ];
      return works;
    }),
  );
  console.log(
    `nanoseconds a message, median of ${rounds} rounds; messages of ${bitrateBps / 1e6} Mbit/s, audio and video`,
  );
  for (const [i, [name]] of (named[0] ?? []).entries()) {
    const times = dists.map((): number[] => []);
    for (let round = -1; round < rounds; round++) {
      for (const [build, works] of named.entries()) {
        const time = timeRound(works[i]?.[1] ?? (() => 1));
        if (round >= 0) times[build]?.push(time); // the first one warms up
      }
    }
    console.log(`${name.padEnd(34)} ${times.map((all) => median(all).toFixed(0).padStart(8)).join(' ')}`);
  }
}

await main();
