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
