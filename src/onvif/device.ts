import { hostInUrl } from '../address/host.js';
import { parseSourceUrl, type SourceUrl } from '../address/source-url.js';
import { SourceError } from '../errors.js';
import type { Dialer } from '../net/dialer.js';
import { type DeviceAddress, type Exchanged, exchange } from './exchange.js';
import { answerChallenge, type Login } from './http-digest.js';
import { callSoap } from './soap.js';
import { child, descendants, escapeXml, numberAt, plainText, textAt, type XmlElement } from './xml.js';

const deviceNs = 'http://www.onvif.org/ver10/device/wsdl';
const media1Ns = 'http://www.onvif.org/ver10/media/wsdl';
const media2Ns = 'http://www.onvif.org/ver20/media/wsdl';
const schemaNs = 'http://www.onvif.org/ver10/schema';

/** Where nearly all devices are asked, where they do not say it. */
export const usualPath = '/onvif/device_service';

/** More profiles of one device are not looked at. */
const maxProfiles = 32;
const maxTokenChars = 128;
/** One question at most, milliseconds. */
const callMs = 5000;

/** What a device says of itself. */
export interface DeviceInformation {
  readonly maker: string;
  readonly model: string;
  readonly firmware: string;
  /** Empty where it says none. */
  readonly serial: string;
}

/** A stream of a device, as its profile describes it. */
export interface StreamProfile {
  readonly token: string;
  readonly name: string;
  /** In the words of the device: `H264`, `H265`, `JPEG` ...; empty: it says none. */
  readonly codec: string;
  /** 0: it does not say. */
  readonly width: number;
  readonly height: number;
  readonly framesPerSecond: number | null;
  readonly kbps: number | null;
}

interface MediaService {
  readonly path: string;
  readonly address: DeviceAddress;
  readonly isSecond: boolean;
}

/**
 * A device as ONVIF shows it (Core, Device and Media specifications): the calls that are needed to find its streams, one after
 * the other, all of them within one deadline. What it names by URL is taken for its path: the host is always its own, so that
 * no device points us at another.
 */
export class OnvifDevice {
  readonly address: DeviceAddress;
  readonly #path: string;
  readonly #dialer: Dialer;
  readonly #login: Login | null;
  readonly #endMs: number;
  readonly #signal: AbortSignal | undefined;
  /** Undefined: it was not asked yet. */
  #clockAheadMs: number | null | undefined;
  #media: MediaService | undefined;

  /**
   * @param options.timeoutMs for all calls together
   * @param options.signal ends them: SOURCE_CLOSED
   */
  constructor(
    address: DeviceAddress,
    path: string,
    options: {
      readonly dialer: Dialer;
      readonly login: Login | null;
      readonly timeoutMs: number;
      readonly signal?: AbortSignal;
    },
  ) {
    this.address = address;
    this.#path = path;
    this.#dialer = options.dialer;
    this.#login = options.login;
    this.#endMs = performance.now() + options.timeoutMs;
    this.#signal = options.signal;
  }

  get endpoint(): string {
    return `${hostInUrl(this.address.host)}:${this.address.port}`;
  }

  /**
   * How far its clock is ahead of ours, milliseconds. It needs no login (Core, 5.9.4: PRE_AUTH), so it tells whether there is
   * a device at all. Null: it does not say, or only to a login; then it is taken for right.
   * @throws SourceError; errors of sockets
   */
  async clockAheadMs(): Promise<number | null> {
    if (this.#clockAheadMs === undefined) this.#clockAheadMs = await this.#askClock();
    return this.#clockAheadMs;
  }

  async #askClock(): Promise<number | null> {
    let body: XmlElement;
    try {
      body = await this.#call(this.address, this.#path, deviceNs, 'GetSystemDateAndTime', '', { isOpen: true });
    } catch (error) {
      if (error instanceof SourceError && error.code === 'SOURCE_AUTH') return null;
      throw error;
    }
    const answer = child(body, 'GetSystemDateAndTimeResponse', 'SystemDateAndTime');
    if (answer === undefined) {
      throw new SourceError('SOURCE_PROTOCOL', `${this.endpoint} does not tell its time: it speaks no ONVIF there`);
    }
    const utc = child(answer, 'UTCDateTime');
    const at = (...path: string[]): number => numberAt(utc, path) ?? 0;
    const [year, month, day] = [at('Date', 'Year'), at('Date', 'Month'), at('Date', 'Day')];
    const ms = Date.UTC(year, month - 1, day, at('Time', 'Hour'), at('Time', 'Minute'), at('Time', 'Second'));
    const isUsable = utc !== undefined && year >= 1970 && year < 2200 && Number.isFinite(ms);
    return isUsable ? ms - Date.now() : null;
  }

  /** @throws SourceError SOURCE_AUTH; else as `clockAheadMs` */
  async information(): Promise<DeviceInformation> {
    const body = await this.#call(this.address, this.#path, deviceNs, 'GetDeviceInformation', '');
    const answer = child(body, 'GetDeviceInformationResponse');
    const at = (name: string): string => textAt(answer, [name], 128);
    return {
      maker: at('Manufacturer'),
      model: at('Model'),
      firmware: at('FirmwareVersion'),
      serial: at('SerialNumber'),
    };
  }

  /** Its profiles with video, in its order. @throws as `information` */
  async profiles(): Promise<StreamProfile[]> {
    const media = await this.#mediaService();
    const types = media.isSecond ? '<Type>VideoEncoder</Type>' : '';
    const body = await this.#callMedia(media, 'GetProfiles', types);
    const answer = child(body, 'GetProfilesResponse');
    const profiles = answer === undefined ? [] : descendants(answer, 'Profiles', maxProfiles);
    return profiles
      .filter(({ token }) => token !== '' && token.length <= maxTokenChars)
      .map((each) => profileOf(each, media.isSecond))
      .filter(({ codec, width }) => codec !== '' || width > 0);
  }

  /**
   * The RTSP URL of a profile, at the device itself, without a login.
   * @throws SourceError SOURCE_PROTOCOL where it is none that can be used; else as `information`
   */
  async streamUrl(token: string): Promise<string> {
    const media = await this.#mediaService();
    const profile = `<ProfileToken>${escapeXml(token)}</ProfileToken>`;
    const setup = `<StreamSetup><Stream xmlns="${schemaNs}">RTP-Unicast</Stream><Transport xmlns="${schemaNs}"><Protocol>RTSP</Protocol></Transport></StreamSetup>`;
    const inner = media.isSecond ? `<Protocol>RTSP</Protocol>${profile}` : `${setup}${profile}`;
    const url = this.#uriOf(await this.#callMedia(media, 'GetStreamUri', inner), 'GetStreamUriResponse');
    if (url.scheme !== 'rtsp' && url.scheme !== 'rtsps') {
      throw new SourceError(
        'SOURCE_PROTOCOL',
        `${this.endpoint} gives a ${url.scheme}:// URL for a stream, and not RTSP`,
      );
    }
    return `${url.scheme}://${hostInUrl(this.address.host)}:${url.port}${url.path}`;
  }

  /** A picture, as the device gives it (JPEG). @throws as `streamUrl` */
  async snapshot(token: string, maxBytes: number): Promise<Buffer> {
    const media = await this.#mediaService();
    const inner = `<ProfileToken>${escapeXml(token)}</ProfileToken>`;
    const url = this.#uriOf(await this.#callMedia(media, 'GetSnapshotUri', inner), 'GetSnapshotUriResponse');
    if (url.scheme !== 'http' && url.scheme !== 'https') {
      throw new SourceError('SOURCE_PROTOCOL', `${this.endpoint} gives a ${url.scheme}:// URL for a picture`);
    }
    const at = this.#ownAddress(url);
    const path = url.path === '' ? '/' : url.path;
    const ask = (authorization?: string): Promise<Exchanged> =>
      exchange(at, {
        ...{ dialer: this.#dialer, timeoutMs: this.#leftMs(), maxBytes, method: 'GET', path, signal: this.#signal },
        headers: authorization === undefined ? {} : { authorization },
      });
    let answer = await ask();
    if (answer.status === 401 && this.#login !== null) {
      const authorization = answerChallenge(answer.challenges, { method: 'GET', path }, this.#login);
      if (authorization !== undefined) answer = await ask(authorization);
    }
    const { status, body } = answer;
    if (status === 401) throw new SourceError('SOURCE_AUTH', `${this.endpoint} refuses the picture to this login`);
    if (status !== 200 || body[0] !== 0xff || body[1] !== 0xd8) {
      throw new SourceError('SOURCE_PROTOCOL', `${this.endpoint} answers HTTP status ${status} and no JPEG`);
    }
    return body;
  }

  #uriOf(body: XmlElement, answerName: string): SourceUrl {
    const answer = child(body, answerName);
    const text = textAt(answer, ['MediaUri', 'Uri'], 2048) || textAt(answer, ['Uri'], 2048);
    try {
      // What a device writes there as a login is not ours.
      return parseSourceUrl(withoutLogin(text), plainText);
    } catch (error) {
      throw new SourceError('SOURCE_PROTOCOL', `${this.endpoint} names no URL that can be used`, { cause: error });
    }
  }

  async #mediaService(): Promise<MediaService> {
    this.#media ??= await this.#findMedia();
    return this.#media;
  }

  /** Media2 where there is one: it alone tells of H.265. */
  async #findMedia(): Promise<MediaService> {
    const found = await this.#services();
    const second = found.get(media2Ns);
    const first = found.get(media1Ns);
    if (second !== undefined) return { ...this.#place(second), isSecond: true };
    if (first !== undefined) return { ...this.#place(first), isSecond: false };
    throw new SourceError('SOURCE_NOT_FOUND', `${this.endpoint} has no media service: it is no camera`);
  }

  /** By namespace. */
  async #services(): Promise<Map<string, string>> {
    try {
      const asked = '<IncludeCapability>false</IncludeCapability>';
      const body = await this.#call(this.address, this.#path, deviceNs, 'GetServices', asked);
      const answer = child(body, 'GetServicesResponse');
      const services = answer === undefined ? [] : descendants(answer, 'Service', 64);
      return new Map(services.map((each) => [textAt(each, ['Namespace']), textAt(each, ['XAddr'], 1024)]));
    } catch (error) {
      const isOld = error instanceof SourceError && ['SOURCE_NOT_FOUND', 'SOURCE_PROTOCOL'].includes(error.code);
      if (!isOld) throw error;
      // Devices from before ONVIF 2.1.
      const category = '<Category>Media</Category>';
      const body = await this.#call(this.address, this.#path, deviceNs, 'GetCapabilities', category);
      const xaddr = textAt(body, ['GetCapabilitiesResponse', 'Capabilities', 'Media', 'XAddr'], 1024);
      return new Map(xaddr === '' ? [] : [[media1Ns, xaddr]]);
    }
  }

  #place(xaddr: string): { address: DeviceAddress; path: string } {
    try {
      const url = parseSourceUrl(withoutLogin(xaddr), plainText);
      if (url.scheme === 'http' || url.scheme === 'https') {
        return { address: this.#ownAddress(url), path: url.path === '' ? '/' : url.path };
      }
    } catch {
      // Said below.
    }
    throw new SourceError('SOURCE_PROTOCOL', `${this.endpoint} names a media service that has no HTTP URL`);
  }

  /** At the device itself. Where it names another host (it does not know its address behind a router), its port is not right either. */
  #ownAddress({ scheme, host, port }: SourceUrl): DeviceAddress {
    return host === this.address.host ? { isSecure: scheme === 'https', host, port } : this.address;
  }

  #callMedia({ address, path, isSecond }: MediaService, name: string, inner: string): Promise<XmlElement> {
    return this.#call(address, path, isSecond ? media2Ns : media1Ns, name, inner);
  }

  async #call(
    address: DeviceAddress,
    path: string,
    namespace: string,
    name: string,
    inner: string,
    { isOpen = false } = {},
  ): Promise<XmlElement> {
    // Without its time a digest is worth nothing.
    const clockAheadMs = isOpen ? 0 : ((await this.clockAheadMs()) ?? 0);
    const request = { action: `${namespace}/${name}`, body: `<${name} xmlns="${namespace}">${inner}</${name}>` };
    const login = isOpen ? null : this.#login;
    return callSoap(address, path, request, {
      ...{ dialer: this.#dialer, timeoutMs: this.#leftMs(), login, clockAheadMs, signal: this.#signal },
    });
  }

  #leftMs(): number {
    const leftMs = this.#endMs - performance.now();
    if (leftMs <= 0) throw new SourceError('SOURCE_TIMEOUT', `${this.endpoint} answers too slowly`);
    return Math.ceil(Math.min(callMs, leftMs));
  }
}

function withoutLogin(url: string): string {
  return url.replace(/^([a-z]+:\/\/)[^/?]*@/i, '$1');
}

function profileOf(element: XmlElement, isSecond: boolean): StreamProfile {
  const encoder = isSecond
    ? child(element, 'Configurations', 'VideoEncoder')
    : child(element, 'VideoEncoderConfiguration');
  return {
    token: element.token,
    name: textAt(element, ['Name'], 64),
    codec: textAt(encoder, ['Encoding'], 16).toUpperCase(),
    width: Math.min(numberAt(encoder, ['Resolution', 'Width']) ?? 0, 65_535),
    height: Math.min(numberAt(encoder, ['Resolution', 'Height']) ?? 0, 65_535),
    framesPerSecond: numberAt(encoder, ['RateControl', 'FrameRateLimit']),
    kbps: numberAt(encoder, ['RateControl', 'BitrateLimit']),
  };
}
