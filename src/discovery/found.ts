import { NotFoundError } from '../errors.js';
import type { StreamProfile } from '../onvif/device.js';

/** `main` is the largest picture of a device, `sub` the next smaller one. */
export const streamKinds = ['main', 'sub', 'other'] as const;
export type StreamKind = (typeof streamKinds)[number];

/** A stream of a found device. */
export interface FoundStream {
  readonly stream: StreamKind;
  /** The token of the profile. */
  readonly profile: string;
  readonly name: string;
  readonly codec: string;
  readonly width: number;
  readonly height: number;
  readonly framesPerSecond: number | null;
  readonly kbps: number | null;
}

/** A device of the network. What it says of itself is cut, and has no control characters. */
export interface FoundDevice {
  /** By which it is tried and added. */
  readonly address: string;
  /** What it calls itself for ever (`urn:uuid:...`); empty: it was asked at its address, and did not say. */
  readonly reference: string;
  readonly name: string;
  readonly maker: string;
  readonly model: string;
  readonly firmware: string;
  /** Empty: not known, as without a login. */
  readonly serial: string;
  /** How far its clock is ahead of this machine's, seconds; null: it did not say. */
  readonly clockAheadSeconds: number | null;
  readonly streams: readonly FoundStream[];
  /** The address of another one with the same serial number; null: there is none. */
  readonly sameSerialAs: string | null;
  /** Why it says no more of itself. */
  readonly problem: { readonly code: string; readonly message: string } | null;
}

/** What RTMP can carry; others are not offered. */
const carried = /^(?:H\.?264|H\.?265|HEVC|AVC)/;

/** The streams that can be had, the largest picture first. */
export function streamsOf(profiles: readonly StreamProfile[]): FoundStream[] {
  const usable = profiles.filter(({ codec }) => codec === '' || carried.test(codec));
  const area = ({ width, height }: StreamProfile): number => width * height;
  const sorted = [...usable].sort((left, right) => area(right) - area(left));
  const [main] = sorted;
  // Two profiles may show one picture; the first that is smaller is the sub stream, else the next there is.
  const sub = sorted.find((each) => main !== undefined && area(each) < area(main)) ?? sorted[1];
  return sorted.map(({ token, ...facts }) => ({
    stream: token === main?.token ? 'main' : token === sub?.token ? 'sub' : 'other',
    profile: token,
    ...facts,
  }));
}

/** @throws NotFoundError SOURCE_NOT_FOUND */
export function chooseStream(streams: readonly FoundStream[], wanted: 'main' | 'sub', address: string): FoundStream {
  const found = streams.find(({ stream }) => stream === wanted);
  if (found !== undefined) return found;
  const why =
    streams.length === 0
      ? 'has no stream in H.264 or H.265'
      : `has one stream only, and no ${wanted} stream: take "main"`;
  throw new NotFoundError('SOURCE_NOT_FOUND', `${address} ${why}`, { field: 'stream' });
}

/** Marks those whose serial number another one before them has. */
export function withSharedSerials(devices: readonly FoundDevice[]): FoundDevice[] {
  const bySerial = new Map<string, string>();
  return devices.map((device) => {
    if (device.serial === '') return device;
    const key = `${device.maker}\n${device.serial}`;
    const first = bySerial.get(key);
    if (first === undefined) bySerial.set(key, device.address);
    return first === undefined ? device : { ...device, sameSerialAs: first };
  });
}
