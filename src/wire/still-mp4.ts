/**
 * One key frame as an MP4 file of one picture: what every browser decodes, in any context, without a script. The coded
 * picture and its decoder configuration go in as they came (ISO/IEC 14496-12, 14496-15; Enhanced RTMP for the codecs
 * beyond H.264); nothing is decoded.
 */

/** How a codec is written into MP4: the sample entry, and the box of its configuration. */
const entries: Readonly<Record<string, { readonly entry: string; readonly configuration: string }>> = {
  h264: { entry: 'avc1', configuration: 'avcC' },
  hevc: { entry: 'hvc1', configuration: 'hvcC' },
  av1: { entry: 'av01', configuration: 'av1C' },
  vp9: { entry: 'vp09', configuration: 'vpcC' },
};

/** Codecs whose coded frames have a composition time, three bytes, before the picture. */
const codecsByFourCc: Readonly<Record<string, { readonly codec: string; readonly hasTime: boolean }>> = {
  avc1: { codec: 'h264', hasTime: true },
  hvc1: { codec: 'hevc', hasTime: true },
  av01: { codec: 'av1', hasTime: false },
  vp09: { codec: 'vp9', hasTime: false },
};

/** Classic codec ids with a packet type and a composition time: 7 is Adobe's, the others are a custom of the field. */
const codecsById: Readonly<Record<number, string>> = { 7: 'h264', 12: 'hevc', 13: 'av1' };

const classicHeaderBytes = 5;
const enhancedHeaderBytes = 5;
const timeBytes = 3;
const PacketType = { SequenceStart: 0, CodedFrames: 1, CodedFramesX: 3 } as const;

interface VideoParts {
  readonly codec: string;
  readonly isHeader: boolean;
  readonly data: Buffer;
}

/** How long the picture is shown, in the file's units of a millisecond. */
const durationMs = 1000;

/**
 * The file, or null when header and frame are of no codec that MP4 and browsers share, or do not belong together.
 *
 * @param header the payload of the video sequence header
 * @param frame the payload of the key frame
 * @param size of the picture, pixels; 0 where it is unknown: decoders take their own word for it
 */
export function stillMp4(
  header: Buffer,
  frame: Buffer,
  size: { readonly width: number; readonly height: number },
): Buffer | null {
  const configuration = videoParts(header);
  const picture = videoParts(frame);
  if (configuration === null || picture === null || !configuration.isHeader || picture.isHeader) return null;
  const names = entries[configuration.codec];
  if (names === undefined || picture.codec !== configuration.codec) return null;
  const entry = sampleEntry(names.entry, size, box(names.configuration, configuration.data));
  const fileType = box('ftyp', text('isom'), uint32(0x200), text('isomiso2mp41'));
  // The picture follows the file type, so that its place is known before the rest is made.
  const media = box('mdat', picture.data);
  const pictureAt = fileType.length + 8;
  return Buffer.concat([fileType, media, movie(entry, picture.data.length, pictureAt, size)]);
}

/** Takes the FLV header off a video payload of one track; null for anything else. */
function videoParts(payload: Buffer): VideoParts | null {
  if (payload.length <= enhancedHeaderBytes) return null;
  const first = payload[0] ?? 0;
  if (first < 0x80) {
    const codec = codecsById[first & 0x0f];
    const packetType = payload[1] ?? 0;
    if (codec === undefined || packetType > 1) return null;
    return { codec, isHeader: packetType === 0, data: payload.subarray(classicHeaderBytes) };
  }
  const named = codecsByFourCc[payload.toString('latin1', 1, enhancedHeaderBytes)];
  const packetType = first & 0x0f;
  if (named === undefined) return null;
  const { codec, hasTime } = named;
  if (packetType === PacketType.SequenceStart) {
    return { codec, isHeader: true, data: payload.subarray(enhancedHeaderBytes) };
  }
  if (packetType !== PacketType.CodedFrames && packetType !== PacketType.CodedFramesX) return null;
  const skip = hasTime && packetType === PacketType.CodedFrames ? timeBytes : 0;
  return { codec, isHeader: false, data: payload.subarray(enhancedHeaderBytes + skip) };
}

function movie(entry: Buffer, bytes: number, pictureAt: number, size: { width: number; height: number }): Buffer {
  const table = box(
    'stbl',
    fullBox('stsd', uint32(1), entry),
    fullBox('stts', uint32(1), uint32(1), uint32(durationMs)),
    fullBox('stsc', uint32(1), uint32(1), uint32(1), uint32(1)),
    fullBox('stsz', uint32(0), uint32(1), uint32(bytes)),
    fullBox('stco', uint32(1), uint32(pictureAt)),
  );
  const reference = box('dinf', fullBox('dref', uint32(1), fullBoxWith('url ', 1)));
  const information = box('minf', fullBoxWith('vmhd', 1, Buffer.alloc(8)), reference, table);
  const times = Buffer.concat([uint32(0), uint32(0)]);
  const handler = fullBox('hdlr', uint32(0), text('vide'), Buffer.alloc(12), text('picture\0'));
  const undetermined = Buffer.from([0x55, 0xc4, 0, 0]);
  const mediaHeader = fullBox('mdhd', times, uint32(1000), uint32(durationMs), undetermined);
  const trackHeader = fullBoxWith(
    'tkhd',
    3, // enabled, in the movie
    ...[times, uint32(1), uint32(0), uint32(durationMs), Buffer.alloc(16), unityMatrix()],
    ...[uint32(size.width * 0x10000), uint32(size.height * 0x10000)],
  );
  const track = box('trak', trackHeader, box('mdia', mediaHeader, handler, information));
  const rateAndVolume = Buffer.from([0, 1, 0, 0, 1, 0, ...new Array<number>(10).fill(0)]);
  const movieHeader = fullBox(
    'mvhd',
    ...[times, uint32(1000), uint32(durationMs), rateAndVolume, unityMatrix(), Buffer.alloc(24), uint32(2)],
  );
  return box('moov', movieHeader, track);
}

/** `VisualSampleEntry` (ISO/IEC 14496-12, 12.1.3). */
function sampleEntry(name: string, size: { width: number; height: number }, configuration: Buffer): Buffer {
  const fields = Buffer.alloc(78);
  fields.writeUInt16BE(1, 6); // data reference
  fields.writeUInt16BE(size.width, 24);
  fields.writeUInt16BE(size.height, 26);
  fields.writeUInt32BE(0x480000, 28); // 72 dpi
  fields.writeUInt32BE(0x480000, 32);
  fields.writeUInt16BE(1, 40); // frames in a sample
  fields.writeUInt16BE(24, 74); // depth
  fields.writeInt16BE(-1, 76);
  return box(name, fields, configuration);
}

function unityMatrix(): Buffer {
  const matrix = Buffer.alloc(36);
  matrix.writeUInt32BE(0x10000, 0);
  matrix.writeUInt32BE(0x10000, 16);
  matrix.writeUInt32BE(0x40000000, 32);
  return matrix;
}

function box(type: string, ...parts: Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([uint32(8 + body.length), text(type), body]);
}

function fullBox(type: string, ...parts: Buffer[]): Buffer {
  return fullBoxWith(type, 0, ...parts);
}

/** @param flags 24 bits */
function fullBoxWith(type: string, flags: number, ...parts: Buffer[]): Buffer {
  return box(type, uint32(flags), ...parts);
}

function uint32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32BE(value >>> 0);
  return buffer;
}

function text(characters: string): Buffer {
  return Buffer.from(characters, 'latin1');
}
