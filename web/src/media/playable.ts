import { codec as codecInWords } from '../ui/format.js';
import { bareMp3, usualAudio } from './audio-codecs.js';
import { usualVideo } from './video-codecs.js';

/** Whether this browser plays live video at all. */
export function playsLive(): boolean {
  return typeof MediaSource !== 'undefined';
}

/** Whether this browser plays such a track. @param mime `video/mp4; codecs="..."` */
export function plays(mime: string): boolean {
  return playsLive() && MediaSource.isTypeSupported(mime);
}

/** Why a codec of video cannot be shown here at all, in words; null where it may be. By the codec alone, without a request. */
export function whyNoPicture(codec: string): string | null {
  if (!playsLive()) return 'This browser cannot play live video (it has no Media Source Extensions).';
  const usual = usualVideo[codec];
  if (usual !== undefined && plays(`video/mp4; codecs="${usual}"`)) return null;
  // Browsers take it in WebM only.
  const where = codec === 'vp8' ? ' in MP4, which this page plays' : '';
  return `This browser does not play ${codecInWords(codec)} video${where}.`;
}

/** Why there is no sound of this codec, in words; null where there may be. */
export function whyNoSound(codec: string): string | null {
  const usual = usualAudio[codec];
  if (usual !== undefined && plays(`audio/mp4; codecs="${usual}"`)) return null;
  if (codec === 'mp3' && plays(bareMp3)) return null;
  return `No sound: this browser does not play ${codecInWords(codec)} here.`;
}

/** Since when FFmpeg reads codecs of Enhanced RTMP in FLV; null: it does not, up to 8.1. It always read those that FLV had before. */
const ffmpegSince: Readonly<Record<string, string | null>> = {
  ...{ hevc: '6.1', av1: '6.1', vp9: '6.1' },
  ...{ opus: '8.0', flac: '8.0', ac3: '8.0', eac3: '8.0' },
  ...{ vp8: null, vvc: null, 'device-specific': null },
};

/** Which FFmpeg plays this codec from HTTP-FLV, in words; null: none. */
export function ffmpegFor(codec: string): string | null {
  const since = ffmpegSince[codec];
  if (since === null) return null;
  return since === undefined ? 'FFmpeg' : `FFmpeg ${since} or later`;
}
