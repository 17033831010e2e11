import { randomUUID } from 'node:crypto';
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { isIP } from 'node:net';
import { parseSourceUrl } from '../address/source-url.js';
import { messageOf } from '../errors.js';
import { usualPath } from './device.js';
import type { DeviceAddress } from './exchange.js';
import { child, plainText, readXml, textAt, type XmlElement } from './xml.js';

/** Where devices listen (WS-Discovery 1.0, 2.4). */
const multicastAddress = '239.255.255.250';
/** By UDP. */
export const discoveryPort = 3702;

const addressing = 'http://schemas.xmlsoap.org/ws/2004/08/addressing';
const discovery = 'http://schemas.xmlsoap.org/ws/2005/04/discovery';
/** Some devices answer to the one, some to the other (ONVIF Core, 7.3.2). */
const types = [
  ['http://www.onvif.org/ver10/network/wsdl', 'NetworkVideoTransmitter'],
  ['http://www.onvif.org/ver10/device/wsdl', 'Device'],
] as const;

/** An answer of a device is about 2 KB. */
const maxReplyBytes = 8 * 1024;
/** Looked at in one probe: of all, and of one sender, who answers each of four messages once. */
const maxReplies = 2048;
const maxRepliesOfOne = 8;
/** Devices that are told of at most. */
const maxDevices = 512;
/** Packets are lost: each message goes out twice. */
const againMs = 300;

/** A device that answered. */
export interface ProbeMatch {
  /** What it calls itself for ever (`urn:uuid:...`); empty: nothing. */
  readonly reference: string;
  /** Where it answered from, and by which port it is asked. */
  readonly address: DeviceAddress;
  readonly path: string;
  /** Out of its scopes; empty: it says none. */
  readonly name: string;
  readonly hardware: string;
}

/** Who answered a probe, and what it was asked through. */
export interface ProbeResult {
  readonly matches: readonly ProbeMatch[];
  /** How many answers were looked at, and how many were left out: too many, too large, or not to our question. */
  readonly replies: number;
  readonly ignored: number;
  /** Interfaces that were asked through, by address. */
  readonly interfaces: readonly string[];
  /** Interfaces that could not be used, with the reason. */
  readonly failures: readonly string[];
}

/** Who is asked, and for how long. */
export interface ProbeOptions {
  /** The addresses of this machine to ask from. */
  readonly interfaces: readonly string[];
  /** Asked one by one in place of all: IPv4 addresses. */
  readonly addresses?: readonly string[];
  /** How long answers are waited for, milliseconds. */
  readonly timeoutMs: number;
  /** For tests. */
  readonly port?: number;
  /** Ends the wait. */
  readonly signal?: AbortSignal;
}

/**
 * Asks who is there (WS-Discovery over UDP), and gathers what answers to that question. Memory and work are bounded whatever
 * comes. A device is where its answer came from: of the addresses that it names, that one counts alone.
 */
export async function probe(options: ProbeOptions): Promise<ProbeResult> {
  const run = new ProbeRun(options);
  try {
    return await run.run();
  } finally {
    run.close();
  }
}

class ProbeRun {
  readonly #options: ProbeOptions;
  readonly #ids = types.map(() => `uuid:${randomUUID()}`);
  readonly #sockets: Socket[] = [];
  readonly #used: string[] = [];
  readonly #failures: string[] = [];
  readonly #found = new Map<string, ProbeMatch>();
  readonly #bySender = new Map<string, number>();
  #replies = 0;
  #ignored = 0;

  constructor(options: ProbeOptions) {
    this.#options = options;
  }

  async run(): Promise<ProbeResult> {
    const { interfaces, addresses, timeoutMs, signal } = this.#options;
    // The system knows the way to a single address.
    const from = addresses === undefined ? interfaces : ['0.0.0.0'];
    await Promise.all(from.map((address) => this.#open(address)));
    if (this.#sockets.length > 0) {
      this.#ask();
      const again = setTimeout(() => this.#ask(), Math.min(againMs, timeoutMs / 2));
      await new Promise<void>((resolve) => {
        const end = (): void => {
          clearTimeout(timer);
          signal?.removeEventListener('abort', end);
          resolve();
        };
        const timer = setTimeout(end, timeoutMs);
        signal?.addEventListener('abort', end);
        if (signal?.aborted === true) end();
      });
      clearTimeout(again);
    }
    return {
      matches: [...this.#found.values()],
      replies: this.#replies,
      ignored: this.#ignored,
      interfaces: this.#used,
      failures: this.#failures,
    };
  }

  close(): void {
    for (const socket of this.#sockets.splice(0)) socket.close();
  }

  #open(address: string): Promise<void> {
    return new Promise((resolve) => {
      const socket = createSocket({ type: 'udp4', reuseAddr: false });
      let isOpen = false;
      const fail = (error: unknown): void => {
        this.#failures.push(`${address}: ${messageOf(error)}`);
        if (!isOpen) socket.close();
        resolve();
      };
      // What a send says later (no route, not permitted) is a failure of this interface.
      socket.on('error', fail);
      socket.on('message', (data, from) => this.#take(data, from));
      socket.bind(0, address, () => {
        try {
          if (this.#options.addresses === undefined) {
            socket.setMulticastInterface(address);
            // Not beyond this network (SOAP-over-UDP 1.1, 3.2).
            socket.setMulticastTTL(1);
          }
        } catch (error) {
          fail(error);
          return;
        }
        isOpen = true;
        this.#sockets.push(socket);
        this.#used.push(address);
        resolve();
      });
    });
  }

  #ask(): void {
    const { addresses = [multicastAddress], port = discoveryPort } = this.#options;
    for (const [index, [namespace, type]] of types.entries()) {
      const message = Buffer.from(probeMessage(this.#ids[index] ?? '', namespace, type));
      for (const socket of this.#sockets) {
        for (const address of addresses) {
          socket.send(message, port, address, (error) => {
            if (error === null) return;
            const text = `${addresses === this.#options.addresses ? address : socket.address().address}: ${messageOf(error)}`;
            if (!this.#failures.includes(text) && this.#failures.length < 16) this.#failures.push(text);
          });
        }
      }
    }
  }

  #take(data: Buffer, { address: sender }: RemoteInfo): void {
    const ofSender = (this.#bySender.get(sender) ?? 0) + 1;
    // Looked for before anything is read: who did not hear the question does not know it.
    const knowsUs = this.#ids.some((id) => data.includes(id.slice('uuid:'.length)));
    const isTooMany = ofSender > maxRepliesOfOne || this.#replies >= maxReplies;
    const isAsked = this.#options.addresses?.includes(sender) ?? true;
    if (isTooMany || !isAsked || !knowsUs || data.length > maxReplyBytes) {
      this.#ignored++;
      return;
    }
    this.#bySender.set(sender, ofSender);
    this.#replies++;
    const match = this.#matchOf(data, sender);
    if (match === undefined) {
      this.#ignored++;
      return;
    }
    const key = `${match.reference} ${sender}`;
    if (this.#found.size < maxDevices || this.#found.has(key)) this.#found.set(key, match);
    else this.#ignored++;
  }

  #matchOf(data: Buffer, sender: string): ProbeMatch | undefined {
    try {
      const envelope = readXml(data.toString('utf8'));
      const relatesTo = textAt(envelope, ['Header', 'RelatesTo']).replace(/^urn:/, '');
      if (!this.#ids.includes(relatesTo)) return undefined;
      const body = child(envelope, 'Body');
      // Some leave the list out.
      const found = child(body, 'ProbeMatches', 'ProbeMatch') ?? child(body, 'ProbeMatch');
      return found === undefined ? undefined : matchAt(found, sender);
    } catch {
      return undefined;
    }
  }
}

function matchAt(found: XmlElement, sender: string): ProbeMatch {
  const scopes = (child(found, 'Scopes')?.text ?? '').split(/\s+/);
  const scope = (kind: string): string => {
    const start = `onvif://www.onvif.org/${kind}/`;
    const text = scopes.find((each) => each.startsWith(start))?.slice(start.length) ?? '';
    return plainText(decoded(text), 64);
  };
  return {
    reference: textAt(found, ['EndpointReference', 'Address'], 128),
    ...placeOf(child(found, 'XAddrs')?.text ?? '', sender),
    name: scope('name'),
    hardware: scope('hardware'),
  };
}

/** Of the URLs that a device names, the one at the address that it answered from; without one, the port and path of the first. */
function placeOf(xaddrs: string, sender: string): { address: DeviceAddress; path: string } {
  const urls = xaddrs
    .split(/\s+/)
    .slice(0, 8)
    .flatMap((text) => {
      try {
        const url = parseSourceUrl(text, plainText);
        return url.scheme === 'http' || url.scheme === 'https' ? [url] : [];
      } catch {
        return [];
      }
    });
  const own = urls.filter(({ host }) => host === sender);
  const url = own.find(({ scheme }) => scheme === 'http') ?? own[0] ?? urls[0];
  if (url === undefined) return { address: { isSecure: false, host: sender, port: 80 }, path: usualPath };
  const address = { isSecure: url.scheme === 'https', host: sender, port: url.port };
  return { address, path: url.path === '' ? '/' : url.path };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function probeMessage(id: string, namespace: string, type: string): string {
  return [
    '<?xml version="1.0" encoding="utf-8"?>',
    `<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope" xmlns:w="${addressing}" xmlns:d="${discovery}" xmlns:t="${namespace}">`,
    `<e:Header><w:MessageID>${id}</w:MessageID><w:To e:mustUnderstand="true">urn:schemas-xmlsoap-org:ws:2005:04:discovery</w:To>`,
    `<w:Action e:mustUnderstand="true">${discovery}/Probe</w:Action></e:Header>`,
    `<e:Body><d:Probe><d:Types>t:${type}</d:Types></d:Probe></e:Body></e:Envelope>`,
  ].join('');
}

/** An address that can be asked one by one. */
export function isUnicastIpv4(text: string): boolean {
  return isIP(text) === 4;
}
