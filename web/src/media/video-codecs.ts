/** How a codec of a picture is written into MP4 (ISO/IEC 14496-12 and -15), and named to a browser (RFC 6381). */
export interface VideoFormat {
  /** `avc1.64001f`, `vp09.00.41.08` ... */
  readonly mime: string;
  /** The sample entry, and the box of the decoder configuration in it. */
  readonly entry: string;
  readonly box: string;
  readonly configuration: Uint8Array;
}

/** Names for a first question, before a header came: the commonest profile of each codec. */
export const usualVideo: Readonly<Record<string, string>> = {
  h264: 'avc1.42E01E',
  hevc: 'hvc1.1.6.L93.B0',
  av1: 'av01.0.04M.08',
  vp9: 'vp09.00.41.08',
  vp8: 'vp08.00.41.08',
};

const hex = (value: number): string => value.toString(16).toUpperCase();
const hexByte = (value: number): string => hex(value).padStart(2, '0');
const two = (value: number): string => String(value).padStart(2, '0');

/** Whether frames of this codec need a header to be decoded. */
export function needsHeader(codec: string): boolean {
  return codec === 'h264' || codec === 'hevc' || codec === 'av1';
}

/**
 * By the decoder configuration record of the codec, as FLV carries it; null where it is cut short or of no codec that MP4
 * and browsers share.
 */
export function videoFormat(codec: string, record: Uint8Array): VideoFormat | null {
  const at = (index: number): number => record[index] ?? 0;
  switch (codec) {
    case 'h264': {
      // AVCDecoderConfigurationRecord (ISO/IEC 14496-15, 5.3.3.1)
      if (record.length < 7) return null;
      const mime = `avc1.${hexByte(at(1))}${hexByte(at(2))}${hexByte(at(3))}`;
      return { mime, entry: 'avc1', box: 'avcC', configuration: record };
    }
    case 'hevc':
      return record.length < 23 ? null : { mime: hevcMime(record), entry: 'hvc1', box: 'hvcC', configuration: record };
    case 'av1': {
      // AV1CodecConfigurationRecord (AV1 Codec ISO Media File Format Binding, 2.3.3)
      if (record.length < 4) return null;
      const depth = (at(2) & 0x40) === 0 ? 8 : (at(2) & 0x20) === 0 ? 10 : 12;
      const tier = (at(2) & 0x80) === 0 ? 'M' : 'H';
      const mime = `av01.${at(1) >> 5}.${two(at(1) & 0x1f)}${tier}.${two(depth)}`;
      return { mime, entry: 'av01', box: 'av1C', configuration: record };
    }
    case 'vp9':
    case 'vp8': {
      // VPCodecConfigurationRecord (VP Codec ISO Media File Format Binding); in FLV with version and flags in front
      const fields = record.length >= 12 ? record.subarray(4) : record;
      if (fields.length < 8) return null;
      const [profile = 0, level = 0, depths = 0] = fields;
      const entry = codec === 'vp9' ? 'vp09' : 'vp08';
      const configuration = new Uint8Array([1, 0, 0, 0, ...fields]);
      // Level 0 stands for one that is not known, which browsers refuse.
      const mime = `${entry}.${two(profile)}.${two(level || 41)}.${two(depths >> 4 || 8)}`;
      return { mime, entry, box: 'vpcC', configuration };
    }
    default:
      return null;
  }
}

/** The configuration of a stream of VP8 or VP9 that has none: what its frames say is enough for decoders. */
export function formatWithoutHeader(codec: string, keyFrame: Uint8Array): VideoFormat | null {
  if (codec !== 'vp8' && codec !== 'vp9') return null;
  // The uncompressed header of VP9 (VP9 Bitstream Specification, 6.2): marker of two bits, then the profile, low bit first.
  const first = keyFrame[0] ?? 0;
  const profile = codec === 'vp9' ? ((first >> 5) & 1) | ((first >> 3) & 2) : 0;
  const depth = profile >= 2 ? 10 : 8;
  return videoFormat(codec, new Uint8Array([1, 0, 0, 0, profile, 0, (depth << 4) | (1 << 1), 2, 2, 2, 0, 0]));
}

/** HEVCDecoderConfigurationRecord (ISO/IEC 14496-15, 8.3.3.1) as annex E.3 of that writes it. */
function hevcMime(record: Uint8Array): string {
  const at = (index: number): number => record[index] ?? 0;
  const space = ['', 'A', 'B', 'C'][at(1) >> 6];
  let compatibility = 0;
  for (let bit = 0; bit < 32; bit++) {
    if ((at(2 + (bit >> 3)) & (0x80 >> (bit & 7))) !== 0) compatibility += 2 ** bit;
  }
  const constraints = [...record.subarray(6, 12)];
  while (constraints.length > 0 && constraints.at(-1) === 0) constraints.pop();
  const tier = (at(1) & 0x20) === 0 ? 'L' : 'H';
  return [`hvc1.${space}${at(1) & 0x1f}`, hex(compatibility), `${tier}${at(12)}`, ...constraints.map(hex)].join('.');
}
