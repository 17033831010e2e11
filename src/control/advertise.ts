import { isIP } from 'node:net';
import { isHost, splitHostPort } from '../address/host.js';
import { machineInterfaces } from '../address/interfaces.js';

/** What `advertisedHost` looks at. */
export interface AdvertiseOptions {
  readonly advertiseHost?: string | undefined;
  /** The address that the listeners are bound to. */
  readonly listenHost: string;
  /** The Host header of the request that asks. */
  readonly requestHost?: string | undefined;
}

/**
 * The host under which a camera reaches this node, for endpoints in answers. The first that applies:
 * 1. `--advertise-host`;
 * 2. the listening address, when it is a loopback address: there is no other way in;
 * 3. the host that the request was sent to (its Host header), unless that is a loopback or unspecified address:
 *    whoever reaches the API by that name most probably reaches RTMP by it, through NAT and port forwarding too;
 * 4. the listening address, when it is a specific one;
 * 5. the machine's first address that is not internal, IPv4 before IPv6;
 * 6. the loopback address.
 */
export function advertisedHost(options: AdvertiseOptions): string {
  const { advertiseHost, listenHost } = options;
  if (advertiseHost !== undefined) return advertiseHost;
  if (isLoopback(listenHost)) return listenHost;
  const requested = hostOfHeader(options.requestHost);
  if (requested !== undefined && !isLoopback(requested) && !isUnspecified(requested)) return requested;
  if (isHost(listenHost) && !isUnspecified(listenHost)) return listenHost;
  return firstExternalAddress() ?? '127.0.0.1';
}

function hostOfHeader(header: string | undefined): string | undefined {
  if (header === undefined || header === '') return undefined;
  try {
    return splitHostPort(header, 'host').host;
  } catch {
    // A client may send any Host header; an invalid one is not used.
    return undefined;
  }
}

function firstExternalAddress(): string | undefined {
  const external = machineInterfaces().filter(
    ({ internal, address }) => !internal && !/^(?:fe80:|169\.254\.)/i.test(address),
  );
  return (external.find(({ address }) => isIP(address) === 4) ?? external[0])?.address;
}

function isLoopback(host: string): boolean {
  return /^(?:localhost|.+\.localhost|127(?:\.\d+){3}|::1|::ffff:127(?:\.\d+){3})\.?$/i.test(host);
}

function isUnspecified(host: string): boolean {
  return host === '0.0.0.0' || host === '::' || host === '';
}
