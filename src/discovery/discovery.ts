import { setMaxListeners } from 'node:events';
import { hostInUrl } from '../address/host.js';
import { machineInterfaces } from '../address/interfaces.js';
import { parseAddress } from '../address/ip-address.js';
import { CodedError, codeOf, messageOf, SourceError } from '../errors.js';
import type { Logger } from '../log/log.js';
import type { Dialer } from '../net/dialer.js';
import { OnvifDevice } from '../onvif/device.js';
import type { Login } from '../onvif/http-digest.js';
import { discoveryPort, isUnicastIpv4, type ProbeMatch, type ProbeResult, probe } from '../onvif/probe.js';
import { sourceErrorOf } from '../pull/source-error.js';
import { stillByProgram } from '../pull/still-by-program.js';
import { type DevicePlace, parsePlace, placeText } from './device-place.js';
import { chooseStream, type FoundDevice, streamsOf, withSharedSerials } from './found.js';
import { jpegSize } from './jpeg-size.js';

/** Devices that are asked at a time; each of them one question after the other. */
const askedAtOnce = 16;
/** All questions to one device together, milliseconds. */
const deviceMs = 10_000;
/** All devices together: what is not asked by then is listed without an answer. */
const scanMs = 90_000;
/** Pictures and devices to be added that are under way at a time. */
const callsAtOnce = 8;
const pictureMs = 20_000;
/** What a device that was not scanned calls itself is waited for so long, milliseconds. */
const referenceMs = 600;
const maxPictureBytes = 4 << 20;

/** How long answers to a probe are waited for, milliseconds: devices answer within half a second, busy networks later. */
const defaultProbeMs = 3000;
/** Addresses that may be asked one by one in one scan. */
export const maxAddresses = 256;

/** What one look for devices found. */
export interface Scan {
  /** ISO 8601, UTC: when it began. */
  readonly at: string;
  readonly durationMs: number;
  readonly devices: readonly FoundDevice[];
  /** The addresses of this machine that devices were looked for from; empty where addresses were given. */
  readonly interfaces: readonly string[];
  /** What an operator should know: why nothing was found, what was left out. */
  readonly hints: readonly string[];
}

/** Who is asked in a scan, and as whom. */
export interface ScanOptions {
  /** Asked in place of the whole network, in the form of `parsePlace`. */
  readonly addresses?: readonly string[];
  /** How long answers to the probe are waited for. Default: 3 s. */
  readonly timeoutMs?: number;
  /** Null, or missing: devices are asked without one, and few say more than who they are. */
  readonly login?: Login | null;
}

/** A picture of a device: JPEG, its size in pixels. */
export interface Picture {
  readonly jpeg: Buffer;
  readonly width: number;
  readonly height: number;
  /** Given by the device as a picture, or decoded out of its stream. */
  readonly from: 'snapshot' | 'stream';
}

/** A stream of a device that can be pulled. */
export interface DeviceStream {
  /** With the login in it. */
  readonly url: string;
  /** Empty where the device says none. */
  readonly serial: string;
  /** Empty where it was not found by a scan of this node. */
  readonly reference: string;
}

/** What devices are asked by. */
export interface DiscoveryOptions {
  /** Keeps to where sources may be. */
  readonly dialer: Dialer;
  readonly ffmpeg: string;
  readonly log: Logger;
  /** For tests: the addresses to ask from, and the port of devices. */
  readonly interfaces?: () => readonly string[];
  readonly port?: number;
}

/**
 * Finds ONVIF devices, and gets pictures and streams of them. Devices are strangers: each is judged by where sources may be,
 * asked one question after the other, and bounded in time and bytes.
 */
export class Discovery {
  readonly #options: DiscoveryOptions;
  readonly #stop = new AbortController();
  #last: Scan | null = null;
  #isScanning = false;
  #underWay = 0;

  constructor(options: DiscoveryOptions) {
    this.#options = options;
    // All that is asked at a time listens.
    setMaxListeners(0, this.#stop.signal);
  }

  /** Ends what is under way, and asks nobody any more. */
  close(): void {
    this.#stop.abort();
  }

  /** The last scan of this process; null: there was none. */
  get last(): Scan | null {
    return this.#last;
  }

  /** Devices that answer a probe now, without being asked anything else. */
  probe(timeoutMs = defaultProbeMs, addresses?: readonly string[]): Promise<ProbeResult> {
    const { interfaces = ipv4Interfaces, port } = this.#options;
    return probe({
      interfaces: interfaces(),
      timeoutMs,
      signal: this.#stop.signal,
      ...(addresses === undefined ? {} : { addresses }),
      ...(port === undefined ? {} : { port }),
    });
  }

  /**
   * Looks for devices, and asks each what it is.
   * @throws CodedError DISCOVERY_BUSY while another scan is under way; InputError INVALID_ADDRESS
   */
  async scan({ addresses, timeoutMs = defaultProbeMs, login = null }: ScanOptions): Promise<Scan> {
    const places = addresses?.map((text, index) => parsePlace(text, `addresses.${index}`));
    if (this.#isScanning)
      throw new CodedError('DISCOVERY_BUSY', 'this node is looking for cameras already; wait until it is done');
    this.#isScanning = true;
    const beganMs = performance.now();
    const at = new Date().toISOString();
    try {
      const hosts = places?.map(({ address }) => address.host).filter((host) => this.#mayBeProbed(host));
      const probed = hosts?.length === 0 ? noProbe : await this.probe(timeoutMs, hosts);
      const wanted = candidatesOf(probed.matches, places);
      const endMs = performance.now() + scanMs;
      const asked = await inParallel(wanted, askedAtOnce, (each) => this.#describe(each, login, endMs));
      const devices = withSharedSerials(asked.sort(byAddress));
      this.#last = {
        ...{ at, durationMs: Math.round(performance.now() - beganMs), devices },
        interfaces: places === undefined ? probed.interfaces : [],
        hints: hintsOf(probed, devices, { isByAddress: places !== undefined, hasLogin: login !== null }),
      };
      this.#options.log.info('looked for cameras', {
        found: devices.length,
        replies: probed.replies,
        ignored: probed.ignored,
      });
      return this.#last;
    } finally {
      this.#isScanning = false;
    }
  }

  /**
   * The stream of a device, as the URL of a source.
   * @throws CodedError DISCOVERY_BUSY, InputError INVALID_ADDRESS, NotFoundError SOURCE_NOT_FOUND, SourceError
   */
  stream(address: string, wanted: 'main' | 'sub', login: Login | null): Promise<DeviceStream> {
    return this.#call(address, async (place) => {
      const device = this.#device(place, login, pictureMs);
      const found = await this.#ask(device, place, '');
      if (found.problem !== null) throw found.problem;
      const { profile } = chooseStream(found.facts.streams, wanted, found.facts.address);
      const url = withLogin(await device.streamUrl(profile), login);
      const { serial } = found.facts;
      // The device says that in answers to a probe only.
      const known = this.#last?.devices.find((each) => serial !== '' && each.serial === serial);
      const reference = known?.reference ?? (await this.#referenceOf(place.address.host));
      return { url, serial, reference };
    });
  }

  /**
   * A picture of a stream: the one that the device gives, else one that is decoded out of the stream.
   * @param options.onlyStream leaves the first out, so that it is seen that the stream itself can be had
   * @throws as `stream`
   */
  picture(address: string, wanted: 'main' | 'sub', login: Login | null, { onlyStream = false } = {}): Promise<Picture> {
    return this.#call(address, async (place) => {
      const device = this.#device(place, login, pictureMs);
      const { profile } = chooseStream(streamsOf(await device.profiles()), wanted, placeText(place));
      const jpeg = onlyStream ? null : await device.snapshot(profile, maxPictureBytes).catch(() => null);
      const size = jpeg === null ? null : jpegSize(jpeg);
      if (jpeg !== null && size !== null) return { jpeg, ...size, from: 'snapshot' };
      const { dialer, ffmpeg } = this.#options;
      const url = withLogin(await device.streamUrl(profile), login);
      const still = await stillByProgram({ url, ffmpeg, timeoutMs: pictureMs, dialer, signal: this.#stop.signal });
      const ofStill = jpegSize(still);
      if (ofStill === null) throw new SourceError('SOURCE_PROTOCOL', `${placeText(place)} gives no picture`);
      return { jpeg: still, ...ofStill, from: 'stream' };
    });
  }

  /** The serial number of the device that answered a probe. @throws SourceError; errors of sockets */
  async serialOf({ address, path }: DevicePlace, login: Login | null): Promise<string> {
    return (await this.#device({ address, path }, login, deviceMs).information()).serial;
  }

  #mayBeProbed(host: string): boolean {
    const { dialer, port = discoveryPort } = this.#options;
    return isUnicastIpv4(host) && dialer.policy.refuses(host, host, port) === undefined;
  }

  async #referenceOf(host: string): Promise<string> {
    if (!this.#mayBeProbed(host)) return '';
    const { matches } = await this.probe(referenceMs, [host]);
    return matches[0]?.reference ?? '';
  }

  #device({ address, path }: DevicePlace, login: Login | null, timeoutMs: number): OnvifDevice {
    return new OnvifDevice(address, path, {
      dialer: this.#options.dialer,
      login,
      timeoutMs,
      signal: this.#stop.signal,
    });
  }

  async #call<T>(text: string, work: (place: DevicePlace) => Promise<T>): Promise<T> {
    const place = parsePlace(text, 'address');
    if (this.#underWay >= callsAtOnce) {
      throw new CodedError(
        'DISCOVERY_BUSY',
        `${callsAtOnce} cameras are being asked already; ask for this one again in a moment`,
      );
    }
    this.#underWay++;
    try {
      return await work(place);
    } catch (error) {
      if (error instanceof CodedError && !error.code.startsWith('TARGET_')) throw error;
      throw sourceErrorOf(error, `${hostInUrl(place.address.host)}:${place.address.port}`);
    } finally {
      this.#underWay--;
    }
  }

  async #describe(candidate: Candidate, login: Login | null, endMs: number): Promise<FoundDevice> {
    const leftMs = endMs - performance.now();
    const { place, match } = candidate;
    if (leftMs < 1000) {
      const facts = factsOf(place, match);
      const message = 'it was not asked: others took too long; look for it alone, by its address';
      return { ...facts, problem: { code: 'SOURCE_TIMEOUT', message } };
    }
    const device = this.#device(place, login, Math.min(deviceMs, leftMs));
    const { facts, problem } = await this.#ask(device, place, match?.reference ?? '', match);
    return problem === null ? facts : { ...facts, problem: { code: codeOf(problem), message: messageOf(problem) } };
  }

  /** What a device says before it refuses to say more. Never rejects. */
  async #ask(
    device: OnvifDevice,
    place: DevicePlace,
    reference: string,
    match?: ProbeMatch,
  ): Promise<{ facts: FoundDevice; problem: CodedError | null }> {
    let facts: FoundDevice = { ...factsOf(place, match), reference };
    try {
      const aheadMs = await device.clockAheadMs();
      facts = { ...facts, clockAheadSeconds: aheadMs === null ? null : Math.round(aheadMs / 1000) };
      facts = { ...facts, ...(await device.information()) };
      facts = { ...facts, streams: streamsOf(await device.profiles()) };
      return { facts, problem: null };
    } catch (error) {
      return { facts, problem: explained(sourceErrorOf(error, device.endpoint), facts) };
    }
  }
}

/** A clock that is far off is taken into account, and is the first thing that a refused login may be about. */
function explained(error: SourceError, { clockAheadSeconds }: FoundDevice): SourceError {
  const isFarOff = clockAheadSeconds !== null && Math.abs(clockAheadSeconds) > 300;
  if (error.code !== 'SOURCE_AUTH' || !isFarOff) return error;
  const minutes = Math.round(Math.abs(clockAheadSeconds) / 60);
  const text = `${error.message} (its clock is ${minutes} minutes ${clockAheadSeconds > 0 ? 'ahead' : 'behind'}; setting it may help)`;
  return new SourceError('SOURCE_AUTH', text, { cause: error });
}

interface Candidate {
  readonly place: DevicePlace;
  readonly match?: ProbeMatch;
}

/** Those that answered; where addresses were given, these and no others, as they say or else as they were given. */
function candidatesOf(matches: readonly ProbeMatch[], places: readonly DevicePlace[] | undefined): Candidate[] {
  const byPlace = new Map<string, Candidate>();
  if (places === undefined) {
    for (const match of matches) byPlace.set(placeText(match), { place: match, match });
  } else {
    for (const place of places) {
      const match = matches.find(({ address }) => address.host === place.address.host);
      // What the operator says goes before what the device says, where it is more than a host.
      const isExact = placeText(place) !== place.address.host;
      const at = match === undefined || isExact ? place : { address: match.address, path: match.path };
      byPlace.set(placeText(at), { place: at, ...(match === undefined ? {} : { match }) });
    }
  }
  return [...byPlace.values()];
}

function factsOf(place: DevicePlace, match: ProbeMatch | undefined): FoundDevice {
  return {
    ...{ address: placeText(place), reference: match?.reference ?? '', name: match?.name ?? '' },
    ...{ maker: '', model: match?.hardware ?? '', firmware: '', serial: '', clockAheadSeconds: null },
    ...{ streams: [], sameSerialAs: null, problem: null },
  };
}

const noProbe: ProbeResult = { matches: [], replies: 0, ignored: 0, interfaces: [], failures: [] };

function hintsOf(
  probed: ProbeResult,
  devices: readonly FoundDevice[],
  { isByAddress, hasLogin }: { readonly isByAddress: boolean; readonly hasLogin: boolean },
): string[] {
  const hints: string[] = [];
  if (!isByAddress) {
    if (probed.interfaces.length === 0) hints.push('This machine has no network with IPv4 that cameras could be in.');
    else if (devices.length === 0) {
      hints.push(`Nothing answered to a multicast from ${probed.interfaces.join(', ')}.`);
      hints.push(
        'Multicast does not leave a network: cameras in another VLAN, behind a router or a VPN, or outside of a container without host networking, do not hear it. Give their addresses.',
      );
      hints.push(
        'Many cameras have ONVIF switched off, or want a user of its own for it: see the settings of the camera.',
      );
    }
    for (const failure of probed.failures.slice(0, 4)) hints.push(`An interface could not be used: ${failure}.`);
  }
  if (devices.some(({ problem }) => problem?.code === 'SOURCE_AUTH')) {
    hints.push(
      hasLogin
        ? 'Some devices reject this login.'
        : 'Some devices want a user name and a password before they say what they are.',
    );
  }
  const shared = devices.filter(({ sameSerialAs }) => sameSerialAs !== null);
  if (shared.length > 0) {
    hints.push(
      `Serial numbers stand twice: ${shared
        .slice(0, 4)
        .map(({ address, sameSerialAs }) => `${address} and ${sameSerialAs}`)
        .join(', ')}.`,
    );
  }
  if (probed.ignored > 0)
    hints.push(`${probed.ignored} answers were left out: too many, too large, or to another question.`);
  return hints;
}

function byAddress(left: FoundDevice, right: FoundDevice): number {
  return left.address.localeCompare(right.address, 'en', { numeric: true });
}

/** The URL of a source, with the login where there is one. */
function withLogin(url: string, login: Login | null): string {
  if (login === null) return url;
  const escaped = (text: string): string =>
    encodeURIComponent(text).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
  return url.replace('://', `://${escaped(login.username)}:${escaped(login.password)}@`);
}

/** IPv4 addresses of this machine in networks that others are in. */
function ipv4Interfaces(): readonly string[] {
  return machineInterfaces()
    .filter(({ internal, address }) => !internal && parseAddress(address)?.family === 4)
    .map(({ address }) => address)
    .slice(0, 16);
}

async function inParallel<T, R>(items: readonly T[], atOnce: number, work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let at = next++; at < items.length; at = next++) results[at] = await work(items[at]!);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, lane));
  return results;
}
