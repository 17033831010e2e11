import { sampleRate } from '../relay/silence.js';
import { fourCcOf } from '../wire/flv-codecs.js';
import { encodeFlvTag, FlvTagType, flvFileHeader } from '../wire/flv-file.js';
import { isExAudio } from '../wire/flv-header.js';

/** What ffmpeg is told: sound of FLV in, AAC LC in FLV out, each frame as soon as it is there. */
export const ffmpegAudioArguments: readonly string[] = [
  ...['-hide_banner', '-nostats', '-loglevel', 'level+warning'],
  ...['-protocol_whitelist', 'pipe', '-probesize', '32', '-analyzeduration', '0', '-f', 'flv', '-i', 'pipe:0'],
  // Gaps are filled and overlaps are cut, so that what goes on is continuous.
  ...['-copyts', '-vn', '-af', 'aresample=async=1', '-threads', '1'],
  ...['-c:a', 'aac', '-ar', String(sampleRate), '-ac', '2', '-b:a', '128k'],
  ...['-flush_packets', '1', '-flvflags', 'no_duration_filesize', '-f', 'flv', 'pipe:1'],
];

/** What its input begins with. */
export const flvBeginning: Buffer = flvFileHeader(true, false);

/** Sound format 2 (MP3), 44 kHz, 16 bits, stereo; the frames say themselves what they have. */
const mp3Flags = 0x2f;
/** The byte of an extended header, and the FourCC. */
const exHeaderBytes = 5;

/** What ffmpeg reads of one form by one run: the codec, rate and channels of FLV; -1 and less: a codec with a FourCC. */
export function formOf(payload: Buffer): number {
  if (!isExAudio(payload)) return payload[0] ?? 0;
  return fourCcOf(false, payload) === '.mp3' ? -1 : -2;
}

/** A message of sound as ffmpeg reads it; null where the FLV of widespread versions of ffmpeg has no such codec. */
export function tagForFfmpeg(timestampMs: number, payload: Buffer): Buffer | null {
  if (!isExAudio(payload)) return encodeFlvTag(FlvTagType.Audio, timestampMs, payload);
  if (fourCcOf(false, payload) !== '.mp3') return null;
  const plain = Buffer.from(payload.subarray(exHeaderBytes - 1));
  plain[0] = mp3Flags;
  return encodeFlvTag(FlvTagType.Audio, timestampMs, plain);
}
