import { hostInUrl, isHost, quoted, splitHostPort } from '../address/host.js';
import { parseSourceUrl } from '../address/source-url.js';
import { InputError } from '../errors.js';
import { usualPath } from '../onvif/device.js';
import type { DeviceAddress } from '../onvif/exchange.js';

/** Where a device is asked by ONVIF. */
export interface DevicePlace {
  readonly address: DeviceAddress;
  readonly path: string;
}

/**
 * Reads `HOST`, `HOST:PORT` or `http[s]://HOST[:PORT]/PATH`.
 * @throws InputError INVALID_ADDRESS
 */
export function parsePlace(text: string, field: string): DevicePlace {
  if (!text.includes('://')) {
    const { host, port = 80 } = splitHostPort(text, field);
    return { address: { isSecure: false, host, port }, path: usualPath };
  }
  const url = parseSourceUrl(text);
  if ((url.scheme !== 'http' && url.scheme !== 'https') || url.username !== undefined || !isHost(url.host)) {
    const rule =
      'is no address of a device; give HOST, HOST:PORT or http://HOST:PORT/PATH, and the login apart from it';
    throw new InputError('INVALID_ADDRESS', `${field}: ${quoted(text.replace(/\/\/[^/]*@/, '//***@'))} ${rule}`, {
      field,
    });
  }
  const { scheme, host, port, path } = url;
  const isBare = path === '' || path === '/';
  return { address: { isSecure: scheme === 'https', host, port }, path: isBare ? usualPath : path };
}

/** The shortest text that `parsePlace` reads as this place. */
export function placeText({ address: { isSecure, host, port }, path }: DevicePlace): string {
  if (!isSecure && path === usualPath) return port === 80 ? host : `${hostInUrl(host)}:${port}`;
  const isUsual = port === (isSecure ? 443 : 80);
  return `${isSecure ? 'https' : 'http'}://${hostInUrl(host)}${isUsual ? '' : `:${port}`}${path === usualPath ? '' : path}`;
}
