/** How many samples a second an `AudioSpecificConfig` names by its index (ISO/IEC 14496-3, table 1.18). */
const sampleRates = [
  96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8000, 7350,
];

const samplesPerFrame = 1024;
const lowComplexity = 2;
/** FLV: codec id 10, AAC, in the high half of the first byte; then a packet type, 0 for the configuration, 1 for a frame. */
const aac = 10;

/** A frame of AAC LC without any sound, by its channels. Its bits are the same for all sample rates. */
const silentFrames: Readonly<Record<number, Buffer>> = {
  1: Buffer.from([0x00, 0xc8, 0x00, 0x80, 0x23, 0x80]),
  2: Buffer.from([0x21, 0x00, 0x49, 0x90, 0x02, 0x19, 0x00, 0x23, 0x80]),
};

/** Sound that is none, in the form of a camera's own. */
export interface Silence {
  /** The sequence header, as the camera sent it. */
  readonly header: Buffer;
  readonly frame: Buffer;
  /** How long a frame lasts, milliseconds. */
  readonly frameMs: number;
}

/**
 * Silence that a decoder of a camera's sound takes without another header.
 * @param header the payload of its audio sequence header in FLV
 * @returns undefined for what is no AAC LC of one or two channels
 */
export function silenceLike(header: Buffer): Silence | undefined {
  const [flags = 0, packetType, one = 0, two = 0] = header;
  if (header.length < 4 || flags >> 4 !== aac || packetType !== 0) return undefined;
  // ISO/IEC 14496-3, 1.6.2.1: object type (5 bits), sample rate (4), channels (4), then whether frames have 960 samples.
  const rate = sampleRates[((one & 0x07) << 1) | (two >> 7)];
  const frame = silentFrames[(two >> 3) & 0x0f];
  const isShort = (two & 0x04) !== 0;
  if (one >> 3 !== lowComplexity || rate === undefined || frame === undefined || isShort) return undefined;
  return {
    header,
    frame: Buffer.concat([Buffer.from([flags, 1]), frame]),
    frameMs: (samplesPerFrame * 1000) / rate,
  };
}
