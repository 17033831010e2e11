import { boxOf } from './boxes.js';
import { dolbyFormat } from './dolby.js';

/** How a codec of sound is written into MP4, and named to a browser. */
export interface AudioFormat {
  /** `mp4a.40.2`, `opus` ... */
  readonly mime: string;
  readonly entry: string;
  /** The box of the decoder configuration, whole. */
  readonly configuration: Uint8Array;
  readonly channels: number;
  /** Hertz. */
  readonly sampleRate: number;
  /** Bits. Default: 16, which is what codecs say that have none. */
  readonly sampleBits?: number;
  /** Of codecs whose frames browsers take as they are, too: the type of these, and how long each lasts, milliseconds. */
  readonly bare?: { readonly mime: string; readonly frameMs: number };
}

/** MP3 as it is (MPEG Audio Byte Stream Format): Chromium takes it so, and not in MP4. */
export const bareMp3 = 'audio/mpeg';

/** The sound that is put into MP4 here; other sound stays away. */
export const usualAudio: Readonly<Record<string, string>> = {
  aac: 'mp4a.40.2',
  // As Firefox names it; others take it without MP4.
  mp3: 'mp3',
  opus: 'opus',
  flac: 'flac',
  // Not in Chromium; in browsers of systems that have a decoder.
  ac3: 'ac-3',
  eac3: 'ec-3',
};

const aacRates = [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8000, 7350];
const aacChannels = [2, 1, 2, 3, 4, 5, 6, 8];
/** By the version of MPEG audio (3 is MPEG-1), then by the index in the header. */
const mp3Rates: Readonly<Record<number, readonly number[]>> = {
  3: [44_100, 48_000, 32_000],
  2: [22_050, 24_000, 16_000],
  0: [11_025, 12_000, 8000],
};

const streamInfoBytes = 34;

/** By its header; null where that is cut short, or of no codec that is known here. */
export function audioFormat(codec: string, header: Uint8Array): AudioFormat | null {
  const at = (index: number): number => header[index] ?? 0;
  switch (codec) {
    case 'aac': {
      // AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1)
      if (header.length < 2) return null;
      const type = at(0) >> 3;
      const sampleRate = aacRates[((at(0) & 7) << 1) | (at(1) >> 7)] ?? 44_100;
      const channels = aacChannels[(at(1) >> 3) & 15] ?? 2;
      // 31 is an escape to types beyond these, of which browsers play xHE-AAC at most.
      const mime = `mp4a.40.${type === 31 ? 42 : type}`;
      return { mime, entry: 'mp4a', configuration: esds(0x40, header), channels, sampleRate };
    }
    case 'opus': {
      // `OpusHead` (RFC 7845, 5.1), least byte first, becomes `dOps` (Encapsulation of Opus in ISO Base Media), most first.
      if (header.length < 19) return null;
      const fields = [0, at(9), at(11), at(10), at(15), at(14), at(13), at(12), at(17), at(16), ...header.subarray(18)];
      const configuration = boxOf('dOps', new Uint8Array(fields));
      return { mime: 'opus', entry: 'Opus', configuration, channels: at(9) || 2, sampleRate: 48_000 };
    }
    case 'flac': {
      // The marker, then the blocks of metadata, STREAMINFO first (RFC 9639, 8.2); FFmpeg 8.1 sends what is in that block alone.
      const isBare = header.length === streamInfoBytes;
      const blocks = isBare
        ? new Uint8Array([0x80, 0, 0, streamInfoBytes, ...header])
        : header.subarray(at(0) === 0x66 ? 4 : 0);
      if (blocks.length < 38) return null;
      const [high = 0, middle = 0, low = 0, last = 0] = blocks.subarray(14, 18);
      const sampleRate = (high << 12) | (middle << 4) | (low >> 4);
      const sampleBits = (((low & 1) << 4) | (last >> 4)) + 1;
      const configuration = boxOf('dfLa', new Uint8Array(4), blocks);
      return { mime: 'flac', entry: 'fLaC', configuration, channels: ((low >> 1) & 7) + 1, sampleRate, sampleBits };
    }
    default:
      return null;
  }
}

/** Of a codec whose frames say everything; null for others. */
export function formatOfFrame(codec: string, frame: Uint8Array): AudioFormat | null {
  if (codec === 'ac3' || codec === 'eac3') return dolbyFormat(codec, frame);
  if (codec !== 'mp3') return null;
  // The header of a frame (ISO/IEC 11172-3, 2.4.1.3)
  const [sync = 0, version = 0, rate = 0, mode = 0] = frame;
  if (sync !== 0xff || version < 0xe0) return null;
  const sampleRate = mp3Rates[(version >> 3) & 3]?.[(rate >> 2) & 3] ?? 44_100;
  const channels = mode >> 6 === 3 ? 1 : 2;
  // Layer III: two granules of 576 samples, in MPEG-2 one.
  const frameMs = ((((version >> 3) & 3) === 3 ? 1152 : 576) * 1000) / sampleRate;
  const bare = { mime: bareMp3, frameMs };
  return { mime: 'mp3', entry: 'mp4a', configuration: esds(0x6b, null), channels, sampleRate, bare };
}

/** `ES_Descriptor` (ISO/IEC 14496-1, 7.2.6.5). @param objectType 0x40 AAC, 0x6b MP3 */
function esds(objectType: number, specific: Uint8Array | null): Uint8Array {
  const descriptor = (tag: number, ...body: readonly number[]): number[] => [tag, body.length, ...body];
  const info = specific === null ? [] : descriptor(5, ...specific.subarray(0, 64));
  // A stream of audio; buffer size and bit rates are not known.
  const decoder = descriptor(4, objectType, 0x15, ...new Array<number>(11).fill(0), ...info);
  return boxOf('esds', new Uint8Array([0, 0, 0, 0, ...descriptor(3, 0, 0, 0, ...decoder, ...descriptor(6, 2))]));
}
