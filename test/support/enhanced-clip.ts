import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inject } from 'vitest';
import { exMessage } from './enhanced.js';
import { runOk } from './process.js';

/**
 * FLV of codecs that Debian's ffmpeg encodes and does not write into FLV: it makes the packets, ffprobe reads them off, and
 * the tags around them are written here, from the specification of Enhanced RTMP.
 */
export interface EnhancedClip {
  /** A FourCC, or a classic number of FLV, with the encoder and its options. */
  readonly video?: { readonly id: string | number; readonly encoder: readonly string[] };
  readonly audio?: { readonly id: string | number; readonly encoder: readonly string[] };
  readonly seconds: number;
  readonly size?: string;
}

interface ProbedPacket {
  readonly codec_type: 'video' | 'audio';
  readonly pts_time: string;
  readonly dts_time?: string;
  readonly flags: string;
  readonly data: string;
}
interface ProbedStream {
  readonly codec_type: 'video' | 'audio';
  readonly extradata?: string;
}

const clips = new Map<string, Promise<string>>();

/** The path of the clip; made once in a run of tests. */
export function makeEnhancedClip(clip: EnhancedClip): Promise<string> {
  const key = JSON.stringify(clip);
  let made = clips.get(key);
  if (made === undefined) {
    made = make(clip, join(inject('clipFolder'), `enhanced-${process.pid}-${clips.size}`));
    clips.set(key, made);
  }
  return made;
}

async function make({ video, audio, seconds, size = '320x240' }: EnhancedClip, base: string): Promise<string> {
  // MP4 where it can hold the codec, since configurations stand in it as FLV has them.
  const isMatroska =
    audio?.id === 'fLaC' || [video?.id, audio?.id].some((id) => id === 'vp08' || typeof id === 'number');
  const container = `${base}.${isMatroska && video?.id !== 'hvc1' ? 'mkv' : 'mp4'}`;
  const inputs: string[] = [];
  if (video !== undefined) inputs.push('-f', 'lavfi', '-i', `testsrc2=size=${size}:rate=25`);
  if (audio !== undefined) inputs.push('-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=48000');
  const encoders = [...(video ? ['-c:v', ...video.encoder] : []), ...(audio ? ['-c:a', ...audio.encoder] : [])];
  await runOk('ffmpeg', [
    '-v',
    'error',
    '-y',
    ...inputs,
    '-t',
    `${seconds}`,
    '-g',
    '25',
    ...encoders,
    '-strict',
    '-2',
    container,
  ]);
  const { stdout } = await runOk('ffprobe', [
    ...['-v', 'error', '-show_data', '-show_streams', '-show_packets', '-of', 'json', container],
  ]);
  const { streams, packets } = JSON.parse(stdout) as {
    streams: readonly ProbedStream[];
    packets: readonly ProbedPacket[];
  };
  const tags: Buffer[] = [Buffer.from('464c5601050000000900000000', 'hex')];
  for (const { codec_type: kind, extradata } of streams) {
    const id = (kind === 'video' ? video : audio)?.id;
    const header = id === undefined ? null : headerOf(kind, id, bytesOf(extradata));
    if (header !== null) tags.push(tag(kind, 0, header));
  }
  const sorted = packets
    .map((packet) => ({ packet, dtsMs: Math.round(Number(packet.dts_time ?? packet.pts_time) * 1000) }))
    .sort((one, other) => one.dtsMs - other.dtsMs);
  // B-frames begin before 0.
  const firstMs = Math.min(0, sorted[0]?.dtsMs ?? 0);
  for (const { packet, dtsMs } of sorted) {
    const { codec_type: kind, pts_time, flags, data } = packet;
    const id = (kind === 'video' ? video : audio)?.id;
    if (id === undefined) continue;
    const compositionMs = Math.round(Number(pts_time) * 1000) - dtsMs;
    tags.push(tag(kind, dtsMs - firstMs, frameOf(kind, id, bytesOf(data), flags.includes('K'), compositionMs)));
  }
  writeFileSync(`${base}.flv`, Buffer.concat(tags));
  return `${base}.flv`;
}

/** A hex dump of ffprobe: an offset, groups of digits, two blanks, and the same as text. */
function bytesOf(dump: string | undefined): Buffer {
  const digits = (dump ?? '')
    .split('\n')
    .map((line) => /^[0-9a-f]{8}: ((?:[0-9a-f]{2,4} )+)/.exec(line)?.[1]?.replaceAll(' ', '') ?? '')
    .join('');
  return Buffer.from(digits, 'hex');
}

function headerOf(kind: 'video' | 'audio', id: string | number, extra: Buffer): Buffer | null {
  if (typeof id === 'number') {
    if (kind === 'video') return Buffer.concat([Buffer.from([0x10 | id, 0, 0, 0, 0]), extra]);
    return id === 10 ? Buffer.concat([Buffer.from([0xaf, 0]), extra]) : null;
  }
  if (id === '.mp3' || id === 'ac-3' || id === 'ec-3') return null;
  // vpcC with version and flags in front, which ffmpeg's files have in another place: profile 0, level 2, 8 bits.
  const vp = Buffer.from('010000000014820202020000', 'hex');
  const marker = extra.toString('latin1', 0, 4) === 'fLaC' ? Buffer.alloc(0) : Buffer.from('664c614380000022', 'hex');
  const body = id === 'vp09' || id === 'vp08' ? vp : id === 'fLaC' ? Buffer.concat([marker, extra]) : extra;
  return exMessage({ kind, packet: 0, codec: id, body });
}

function frameOf(kind: 'video' | 'audio', id: string | number, data: Buffer, isKey: boolean, offset: number): Buffer {
  const time = Buffer.from([offset >> 16, offset >> 8, offset]);
  if (typeof id === 'number') {
    if (kind === 'video') return Buffer.concat([Buffer.from([(isKey ? 0x10 : 0x20) | id, 1]), time, data]);
    return Buffer.concat([Buffer.from(id === 10 ? [0xaf, 1] : [(id << 4) | 2]), data]);
  }
  const hasTime = kind === 'video' && (id === 'avc1' || id === 'hvc1');
  const body = hasTime ? Buffer.concat([time, data]) : data;
  return exMessage({ kind, packet: 1, codec: id, body, ...(kind === 'video' ? { isKey } : {}) });
}

function tag(kind: 'video' | 'audio', timeMs: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(11);
  head[0] = kind === 'video' ? 9 : 8;
  head.writeUIntBE(payload.length, 1, 3);
  head.writeUIntBE(timeMs & 0xffffff, 4, 3);
  head[7] = timeMs >>> 24;
  const size = Buffer.alloc(4);
  size.writeUInt32BE(11 + payload.length);
  return Buffer.concat([head, payload, size]);
}
