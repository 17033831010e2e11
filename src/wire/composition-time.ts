const enhancedBit = 0x80;
const codedFrames = 1;
/** Classic codec ids with a packet type and a composition time: 7 is Adobe's, the others are a custom of the field. */
const classicCodecs: ReadonlySet<number> = new Set([7, 12, 13, 14]);
/** Codecs of Enhanced RTMP whose coded frames have a composition time behind the FourCC. */
const enhancedCodecs: ReadonlySet<number> = new Set(
  ['avc1', 'hvc1', 'vvc1'].map((name) => Buffer.from(name).readUInt32BE()),
);

/**
 * How much later than it is decoded the picture of a video frame is shown, milliseconds (Adobe Flash Video File Format
 * 10.1, E.4.3.1; Enhanced RTMP v1, `CodedFrames`). It differs from frame to frame where pictures are not sent in the order
 * in which they are shown. 0 where the payload says none, or has several tracks.
 */
export function compositionTimeMs(payload: Buffer): number {
  const first = payload[0] ?? 0;
  if ((first & enhancedBit) === 0) {
    const isCoded = classicCodecs.has(first & 0x0f) && payload[1] === codedFrames;
    return isCoded && payload.length >= 5 ? payload.readIntBE(2, 3) : 0;
  }
  if ((first & 0x0f) !== codedFrames || payload.length < 8) return 0;
  return enhancedCodecs.has(payload.readUInt32BE(1)) ? payload.readIntBE(5, 3) : 0;
}
