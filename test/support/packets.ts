import { runOk } from './process.js';

export type MediaKind = 'video' | 'audio';

/** One packet as ffmpeg demuxes it, times in milliseconds. */
export interface Packet {
  readonly kind: MediaKind;
  readonly dtsMs: number;
  readonly ptsMs: number;
  readonly hash: string;
}

/** The packets of a file, in file order, by `-c copy -f framemd5`: nothing is decoded or re-timed. */
export async function packetsOf(file: string): Promise<Packet[]> {
  const { stdout } = await runOk('ffmpeg', [
    ...['-v', 'error', '-copyts', '-i', file, '-map', '0', '-c', 'copy', '-copyts', '-f', 'framemd5', '-'],
  ]);
  return parseFrameMd5(stdout);
}

/** Reads what ffmpeg's framemd5 format holds. Streams that are neither video nor audio are left out. */
export function parseFrameMd5(text: string): Packet[] {
  const kinds = new Map<number, MediaKind>();
  const ticksPerMs = new Map<number, number>();
  const packets: Packet[] = [];
  for (const line of text.split('\n')) {
    const timeBase = /^#tb (\d+): (\d+)\/(\d+)$/.exec(line);
    if (timeBase !== null) ticksPerMs.set(Number(timeBase[1]), Number(timeBase[3]) / Number(timeBase[2]) / 1000);
    const media = /^#media_type (\d+): (video|audio)$/.exec(line);
    if (media !== null) kinds.set(Number(media[1]), media[2] as MediaKind);
    if (line === '' || line.startsWith('#')) continue;
    const [stream, dts, pts, , , hash] = line.split(',').map((field) => field.trim());
    const kind = kinds.get(Number(stream));
    const ticks = ticksPerMs.get(Number(stream));
    if (kind === undefined || ticks === undefined || hash === undefined) continue;
    packets.push({ kind, dtsMs: Number(dts) / ticks, ptsMs: Number(pts) / ticks, hash });
  }
  return packets;
}

/** Hashes of the video packets that are key frames. */
export async function keyFrameHashes(file: string): Promise<Set<string>> {
  const { stdout } = await runOk('ffprobe', [
    ...['-v', 'error', '-select_streams', 'v:0', '-show_entries', 'packet=flags', '-of', 'csv=p=0', file],
  ]);
  const flags = stdout.trim().split('\n');
  const video = (await packetsOf(file)).filter(({ kind }) => kind === 'video');
  if (flags.length !== video.length) throw new Error(`${file}: ${flags.length} flags for ${video.length} packets`);
  return new Set(video.filter((_, index) => flags[index]?.startsWith('K')).map(({ hash }) => hash));
}

/** Which packets of the source arrived: `from` inclusive, `to` exclusive, counted per kind. */
export interface Run {
  readonly from: number;
  readonly to: number;
  readonly total: number;
}

/** Greatest difference in milliseconds that rounding may cause between two packets' times. */
const timeToleranceMs = 1.01;

/**
 * Where in `source` the packets of `target` lie, per kind: one unbroken run each, none missing, none twice, none
 * altered, in order, all times shifted by one and the same amount, for audio and video alike.
 * @throws Error that says at which packet, and how, the two part.
 */
export function locateRun(source: readonly Packet[], target: readonly Packet[]): Partial<Record<MediaKind, Run>> {
  const runs: Partial<Record<MediaKind, Run>> = {};
  let shiftMs: number | undefined;
  for (const kind of ['video', 'audio'] as const) {
    const sent = source.filter((packet) => packet.kind === kind);
    const arrived = target.filter((packet) => packet.kind === kind);
    const first = arrived[0];
    if (first === undefined) {
      if (sent.length > 0) throw new Error(`no ${kind} packet arrived of ${sent.length}`);
      continue;
    }
    const from = bestStart(sent, arrived);
    for (const [index, packet] of arrived.entries()) {
      const expected = sent[from + index];
      if (expected === undefined || expected.hash !== packet.hash) {
        throw new Error(
          `${kind} breaks at packet ${from + index} of the source: ${describeBreak(sent, arrived, from, index)}`,
        );
      }
      shiftMs ??= packet.dtsMs - expected.dtsMs;
      const errorMs = packet.dtsMs - expected.dtsMs - shiftMs;
      if (Math.abs(errorMs) > timeToleranceMs) {
        throw new Error(`${kind} packet ${from + index} is ${errorMs} ms off the times of the packets before it`);
      }
      const compositionErrorMs = packet.ptsMs - packet.dtsMs - (expected.ptsMs - expected.dtsMs);
      if (Math.abs(compositionErrorMs) > timeToleranceMs) {
        throw new Error(`${kind} packet ${from + index} has a composition offset that is ${compositionErrorMs} ms off`);
      }
    }
    runs[kind] = { from, to: from + arrived.length, total: sent.length };
  }
  return runs;
}

/** Identical packets occur (silence), so of all places where the first one matches the longest run counts. */
function bestStart(sent: readonly Packet[], arrived: readonly Packet[]): number {
  let best = -1;
  let bestLength = 0;
  for (let start = 0; start < sent.length; start++) {
    let length = 0;
    while (length < arrived.length && sent[start + length]?.hash === arrived[length]?.hash) length++;
    if (length > bestLength) {
      best = start;
      bestLength = length;
    }
  }
  if (best < 0) throw new Error(`the first ${arrived[0]?.kind} packet that arrived is none of the source's`);
  return best;
}

function describeBreak(sent: readonly Packet[], arrived: readonly Packet[], from: number, index: number): string {
  const hash = arrived[index]?.hash;
  const place = sent.findIndex((packet) => packet.hash === hash);
  const counts = `${arrived.length} of ${sent.length - from} packets arrived`;
  if (from + index >= sent.length) return `more packets than the source has (${counts})`;
  if (place < 0) return `an altered packet (${counts})`;
  if (place < from + index) return `packet ${place} a second time (${counts})`;
  return `${place - from - index} packets missing (${counts})`;
}

export interface UnbrokenOptions {
  /** True: the very first packet of the source must have arrived too. */
  fromStart?: boolean;
  /** False: the target may end before the source does (it was removed, or the stream goes on). */
  toEnd?: boolean;
  /** Hashes of the source's key frames: the first video packet must be one of them. */
  keyFrames?: ReadonlySet<string>;
}

/** `locateRun`, and what the options ask for. */
export function expectUnbroken(
  source: readonly Packet[],
  target: readonly Packet[],
  { fromStart = false, toEnd = true, keyFrames }: UnbrokenOptions = {},
): Partial<Record<MediaKind, Run>> {
  const runs = locateRun(source, target);
  for (const [kind, run] of Object.entries(runs)) {
    if (fromStart && run.from !== 0) throw new Error(`the first ${run.from} ${kind} packets did not arrive`);
    if (toEnd && run.to !== run.total) throw new Error(`the last ${run.total - run.to} ${kind} packets did not arrive`);
  }
  const firstVideo = target.find(({ kind }) => kind === 'video');
  if (keyFrames !== undefined && firstVideo !== undefined && !keyFrames.has(firstVideo.hash)) {
    throw new Error('the first video packet that arrived is not a key frame');
  }
  return runs;
}
