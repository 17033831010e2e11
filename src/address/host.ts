import { isIP } from 'node:net';
import { InputError } from '../errors.js';

/** Labels of a host name as networks really use them: underscores too (container and service names). */
const hostNamePattern =
  /^(?=.{1,253}$)[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?(?:\.[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*$/;

/** True for an IPv4 or IPv6 address without brackets, or a host name. No scope ids (`%eth0`). */
export function isHost(text: string): boolean {
  const version = isIP(text);
  if (version !== 0) return !text.includes('%');
  // A name that ends in a number is an IPv4 address or a mistake (RFC 3986 section 3.2.2; WHATWG URL, ends in a
  // number).
  return hostNamePattern.test(text) && !/(?:^|\.)(?:[0-9]+|0[xX][0-9a-fA-F]*)$/.test(text);
}

/**
 * The host as it is stored and compared: lower case, without brackets.
 * @throws InputError INVALID_ADDRESS
 */
export function normaliseHost(text: string, field: string): string {
  const bare = text.startsWith('[') && text.endsWith(']') && isIP(text.slice(1, -1)) === 6 ? text.slice(1, -1) : text;
  if (!isHost(bare)) {
    const hint = /^[^:]+:[0-9]{1,5}$|^\[.*\]:[0-9]{1,5}$/.test(text)
      ? '; give the port in pushUrl and playbackUrl'
      : '';
    const message = `${field}: ${quoted(text)} is not a host name or an IP address${hint}`;
    throw new InputError('INVALID_ADDRESS', message, { field });
  }
  return bare.toLowerCase();
}

/**
 * Splits `host`, `host:port`, `[v6]`, `[v6]:port` or a bare IPv6 address.
 * @throws InputError INVALID_ADDRESS
 */
export function splitHostPort(text: string, field: string): { host: string; port: number | undefined } {
  if (text.length > 300 || isIP(text) === 6) return { host: normaliseHost(text, field), port: undefined };
  const match = /^(\[[^\]]*\]|[^:[\]]*)(?::([0-9]{1,5}))?$/.exec(text);
  const port = match?.[2] === undefined ? undefined : Number(match[2]);
  if (match === null || (port !== undefined && (port < 1 || port > 65_535))) {
    const message = `${field}: ${quoted(text)} is not HOST or HOST:PORT (an IPv6 address with a port stands in brackets)`;
    throw new InputError('INVALID_ADDRESS', message, { field });
  }
  return { host: normaliseHost(match[1]!, field), port };
}

/** The host as it is written in a URL: an IPv6 address in brackets. */
export function hostInUrl(host: string): string {
  return isIP(host) === 6 ? `[${host}]` : host;
}

/** A user's value, made safe for a message: quoted as JSON, cut to 80 characters. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 79)}…` : text);
}
