import {
  type AudioSampleEntryBox,
  type IsoBoxStreamable,
  type IsoBoxWriterMap,
  type TrackRunSample,
  type VisualSampleEntryBox,
  writeAudioSampleEntryBox,
  writeDref,
  writeFtyp,
  writeHdlr,
  writeIsoBox,
  writeMdhd,
  writeMfhd,
  writeMvhd,
  writeSmhd,
  writeStco,
  writeStsc,
  writeStsd,
  writeStsz,
  writeStts,
  writeTfdt,
  writeTfhd,
  writeTkhd,
  writeTrex,
  writeTrun,
  writeVisualSampleEntryBox,
  writeVmhd,
} from '@svta/cml-iso-bmff';
import type { AudioFormat } from './audio-codecs.js';
import { boxOf } from './boxes.js';
import type { VideoFormat } from './video-codecs.js';

/**
 * Fragmented MP4 (ISO/IEC 14496-12, 8.8) as Media Source Extensions take it: each track in a file of its own, times in
 * milliseconds, as FLV has them.
 */

/** A frame, ready to be written. */
export interface Sample {
  /** When it is decoded, milliseconds from the start. */
  readonly atMs: number;
  readonly durationMs: number;
  readonly compositionMs: number;
  readonly isKey: boolean;
  readonly data: Uint8Array;
}

const writers = {
  ftyp: writeFtyp,
  mvhd: writeMvhd,
  tkhd: writeTkhd,
  mdhd: writeMdhd,
  hdlr: writeHdlr,
  vmhd: writeVmhd,
  smhd: writeSmhd,
  dref: writeDref,
  stsd: writeStsd,
  stts: writeStts,
  stsc: writeStsc,
  stsz: writeStsz,
  stco: writeStco,
  trex: writeTrex,
  mfhd: writeMfhd,
  tfhd: writeTfhd,
  tfdt: writeTfdt,
  trun: writeTrun,
  avc1: writeVisualSampleEntryBox,
  hvc1: writeVisualSampleEntryBox,
  av01: writeVisualSampleEntryBox,
  vp09: writeVisualSampleEntryBox,
  vp08: writeVisualSampleEntryBox,
  mp4a: writeAudioSampleEntryBox,
  Opus: writeAudioSampleEntryBox,
  fLaC: writeAudioSampleEntryBox,
  'ac-3': writeAudioSampleEntryBox,
  'ec-3': writeAudioSampleEntryBox,
} as unknown as IsoBoxWriterMap;

const write = (box: unknown): Uint8Array => writeIsoBox(box as IsoBoxStreamable, { writers });
const full = { version: 0, flags: 0 };
const unity = [1, 0, 0, 0, 1, 0, 0, 0, 16_384];
const trackId = 1;
const timescale = 1000;

/** The beginning of a file with a track of pictures. @param size pixels; decoders take their own word for it */
export function videoStart(format: VideoFormat, size: { readonly width: number; readonly height: number }): Uint8Array {
  const entry: VisualSampleEntryBox<'avc1'> = {
    type: format.entry as 'avc1',
    reserved1: [],
    dataReferenceIndex: 1,
    preDefined1: 0,
    reserved2: 0,
    preDefined2: [],
    ...size,
    horizresolution: 72,
    vertresolution: 72,
    reserved3: 0,
    frameCount: 1,
    compressorName: [],
    depth: 24,
    preDefined3: -1,
    boxes: [boxOf(format.box, format.configuration)],
  };
  const header = { type: 'vmhd', version: 0, flags: 1, graphicsmode: 0, opcolor: [0, 0, 0] };
  return start(entry, 'vide', header, size);
}

/** The beginning of a file with a track of sound. */
export function audioStart({ entry: type, configuration, channels, sampleRate, sampleBits }: AudioFormat): Uint8Array {
  const entry: AudioSampleEntryBox<'mp4a'> = {
    type: type as 'mp4a',
    reserved1: [],
    dataReferenceIndex: 1,
    reserved2: [],
    channelcount: channels,
    samplesize: sampleBits ?? 16,
    preDefined: 0,
    reserved3: 0,
    // Of 16 bits; the configuration says what is beyond.
    samplerate: sampleRate > 65_535 ? 0 : sampleRate,
    boxes: [configuration],
  };
  return start(entry, 'soun', { type: 'smhd', ...full, balance: 0, reserved: 0 }, { width: 0, height: 0 });
}

function start(
  entry: { readonly type: string },
  handlerType: string,
  mediaHeader: object,
  size: { readonly width: number; readonly height: number },
): Uint8Array {
  const times = { creationTime: 0, modificationTime: 0, duration: 0 };
  const table = {
    type: 'stbl',
    boxes: [
      { type: 'stsd', ...full, entryCount: 1, entries: [entry] },
      { type: 'stts', ...full, entryCount: 0, entries: [] },
      { type: 'stsc', ...full, entryCount: 0, entries: [] },
      { type: 'stsz', ...full, sampleSize: 0, sampleCount: 0, entrySize: [] },
      { type: 'stco', ...full, entryCount: 0, chunkOffset: [] },
    ],
  };
  // The media is in the same file.
  const reference = boxOf('url ', new Uint8Array([0, 0, 0, 1]));
  const references = { type: 'dref', ...full, entryCount: 1, entries: [reference] };
  const information = { type: 'minf', boxes: [mediaHeader, { type: 'dinf', boxes: [references] }, table] };
  const handler = { type: 'hdlr', ...full, preDefined: 0, handlerType, reserved: [0, 0, 0], name: 'live' };
  const header = { type: 'mdhd', ...full, ...times, timescale, language: 'und', preDefined: 0 };
  const track = {
    type: 'tkhd',
    version: 0,
    flags: 3, // enabled, in the movie
    ...times,
    trackId,
    reserved1: 0,
    reserved2: [0, 0],
    layer: 0,
    alternateGroup: 0,
    volume: handlerType === 'soun' ? 1 : 0,
    reserved3: 0,
    matrix: unity,
    ...size,
  };
  const movie = {
    type: 'mvhd',
    ...full,
    ...times,
    timescale,
    rate: 1,
    volume: 1,
    reserved1: 0,
    reserved2: [0, 0],
    matrix: unity,
    preDefined: [0, 0, 0, 0, 0, 0],
    nextTrackId: trackId + 1,
  };
  const defaults = {
    type: 'trex',
    ...full,
    trackId,
    defaultSampleDescriptionIndex: 1,
    defaultSampleDuration: 0,
    defaultSampleSize: 0,
    defaultSampleFlags: 0,
  };
  const moov = {
    type: 'moov',
    boxes: [
      movie,
      { type: 'trak', boxes: [track, { type: 'mdia', boxes: [header, handler, information] }] },
      { type: 'mvex', boxes: [defaults] },
    ],
  };
  const brand = { type: 'ftyp', majorBrand: 'iso6', minorVersion: 1, compatibleBrands: ['iso6', 'mp41'] };
  return joined([write(brand), write(moov)]);
}

const flagsOfKey = 0x0200_0000; // it depends on no other
const flagsOfOther = 0x0101_0000; // it depends on others; no point to start at
const defaultBaseIsMoof = 0x02_0000;
/** Data offset; then of each sample duration, size, flags and composition time. */
const runFlags = 0x001 | 0x100 | 0x200 | 0x400 | 0x800;

/** One fragment with these samples, of which there is one at least. @param sequence counts the fragments of the track */
export function fragment(sequence: number, samples: readonly Sample[]): Uint8Array {
  const boxes = (dataOffset: number): Uint8Array => {
    const run = {
      type: 'trun',
      version: 1, // composition times may be negative
      flags: runFlags,
      sampleCount: samples.length,
      dataOffset,
      samples: samples.map(
        (sample): TrackRunSample => ({
          sampleDuration: sample.durationMs,
          sampleSize: sample.data.length,
          sampleFlags: sample.isKey ? flagsOfKey : flagsOfOther,
          sampleCompositionTimeOffset: sample.compositionMs,
        }),
      ),
    };
    const decodeTime = { type: 'tfdt', version: 1, flags: 0, baseMediaDecodeTime: samples[0]?.atMs ?? 0 };
    const header = { type: 'tfhd', version: 0, flags: defaultBaseIsMoof, trackId };
    const traf = { type: 'traf', boxes: [header, decodeTime, run] };
    return write({ type: 'moof', boxes: [{ type: 'mfhd', ...full, sequenceNumber: sequence }, traf] });
  };
  // The media follows, behind the eight bytes of its box.
  const size = boxes(0).length;
  return joined([boxes(size + 8), boxOf('mdat', ...samples.map(({ data }) => data))]);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  let size = 0;
  for (const part of parts) size += part.length;
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
