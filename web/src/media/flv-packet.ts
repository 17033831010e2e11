/**
 * What an FLV tag says: by the numbers of FLV (Adobe Flash Video File Format 10.1, E.4.2 and E.4.3) or by the FourCCs of
 * Enhanced RTMP v2. The server sends viewers one track of each kind, without prefixes.
 */
export interface Packet {
  /** As the API names it; null: a number that is not assigned. */
  readonly codec: string | null;
  /** A decoder configuration, a frame, or the end of the track. */
  readonly role: 'header' | 'frame' | 'end';
  readonly data: Uint8Array;
  readonly isKey: boolean;
  /** From decoding to showing. */
  readonly compositionMs: number;
}

const videoByNumber: Readonly<Record<number, string>> = {
  2: 'h263',
  3: 'screen',
  4: 'vp6',
  5: 'vp6a',
  6: 'screen2',
  7: 'h264',
  12: 'hevc',
  13: 'av1',
  14: 'vvc',
};
/** Of these, the second byte is a packet type, and a composition time follows. */
const packetized = new Set([7, 12, 13, 14]);
const audioByNumber: Readonly<Record<number, string>> = {
  0: 'pcm',
  1: 'adpcm',
  2: 'mp3',
  3: 'pcm',
  4: 'nellymoser',
  5: 'nellymoser',
  6: 'nellymoser',
  7: 'g711a',
  8: 'g711u',
  10: 'aac',
  11: 'speex',
  13: 'opus',
  14: 'mp3',
};
const byFourCc: Readonly<Record<string, string>> = {
  avc1: 'h264',
  hvc1: 'hevc',
  av01: 'av1',
  vp09: 'vp9',
  vp08: 'vp8',
  vvc1: 'vvc',
  mp4a: 'aac',
  '.mp3': 'mp3',
  Opus: 'opus',
  fLaC: 'flac',
  'ac-3': 'ac3',
  'ec-3': 'eac3',
};
const withCompositionTime = new Set(['h264', 'hevc', 'vvc']);

const roles = ['header', 'frame', 'end', 'frame'] as const;
const keyFrame = 1;
const commandFrame = 5;

/** Null for what is neither of a codec nor its header: commands, metadata of colours and channels. */
export function readVideo(payload: Uint8Array): Packet | null {
  const [first = 0, second = 0] = payload;
  const frameType = (first >> 4) & 7;
  const isKey = frameType === keyFrame;
  if (first >= 0x80) {
    const packetType = first & 0x0f;
    const role = roles[packetType];
    const codec = fourCcOf(payload);
    if (role === undefined || codec === null) return null;
    const hasTime = packetType === 1 && withCompositionTime.has(codec);
    const compositionMs = hasTime ? int24(payload, 5) : 0;
    return { codec, role, isKey, compositionMs, data: payload.subarray(hasTime ? 8 : 5) };
  }
  if (frameType === commandFrame || payload.length < 2) return null;
  const codec = videoByNumber[first & 0x0f] ?? null;
  if (!packetized.has(first & 0x0f)) {
    return { codec, role: 'frame', isKey, compositionMs: 0, data: payload.subarray(1) };
  }
  const role = second === 3 ? undefined : roles[second];
  if (role === undefined || payload.length < 5) return null;
  return { codec, role, isKey, compositionMs: int24(payload, 2), data: payload.subarray(5) };
}

/** As `readVideo`. */
export function readAudio(payload: Uint8Array): Packet | null {
  const [first = 0, second = 0] = payload;
  const sound = { isKey: true, compositionMs: 0 };
  if (first >> 4 === 9) {
    const role = (first & 0x0f) === 3 ? undefined : roles[first & 0x0f];
    const codec = fourCcOf(payload);
    return role === undefined || codec === null ? null : { ...sound, codec, role, data: payload.subarray(5) };
  }
  if (payload.length < 2) return null;
  const codec = audioByNumber[first >> 4] ?? null;
  if (codec !== 'aac') return { ...sound, codec, role: 'frame', data: payload.subarray(1) };
  return { ...sound, codec, role: second === 0 ? 'header' : 'frame', data: payload.subarray(2) };
}

function fourCcOf(payload: Uint8Array): string | null {
  if (payload.length < 5) return null;
  const text = String.fromCharCode(...payload.subarray(1, 5));
  return byFourCc[text] ?? text;
}

function int24(data: Uint8Array, at: number): number {
  return (((data[at] ?? 0) << 24) | ((data[at + 1] ?? 0) << 16) | ((data[at + 2] ?? 0) << 8)) >> 8;
}
