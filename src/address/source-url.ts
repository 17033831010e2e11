import { InputError } from '../errors.js';
import {
  maskUrl,
  maxUrlChars,
  parseHostAndPort,
  parseRtmpUrl,
  parseUserInfo,
  type Refuse,
  unprintable,
} from './rtmp-url.js';

/** The schemes of sources, each with its usual port. SRT has none. */
const ports = { rtmp: 1935, rtmps: 443, http: 80, https: 443, rtsp: 554, rtsps: 322, srt: undefined } as const;

export type SourceScheme = keyof typeof ports;

/** Where a camera's stream is fetched from. */
export interface SourceUrl {
  readonly scheme: SourceScheme;
  /** Lower case; an IPv6 address without brackets. */
  readonly host: string;
  readonly port: number;
  /** Path and query, as they are written. */
  readonly path: string;
  /** Percent-decoded. */
  readonly username?: string;
  readonly password?: string;
}

const schemeWords = Object.keys(ports)
  .map((scheme) => `${scheme}://`)
  .join(', ');

/** What may stand in the query of an `srt://` URL. Others would have SRT listen, or connect from somewhere else. */
const srtParameters: ReadonlySet<string> = new Set([
  'latency',
  'mode',
  'passphrase',
  'pbkeylen',
  'peerlatency',
  'rcvlatency',
  'streamid',
]);

/**
 * Takes apart the URL of a source: `SCHEME://[user[:password]@]host[:port]/path[?query]`. A user name and a password have
 * their special characters percent-encoded.
 * @param mask how the URL is shown in messages
 * @throws InputError INVALID_ADDRESS; the message names what is wrong and what would be right
 */
export function parseSourceUrl(text: string, mask: (text: string) => string = maskUrl): SourceUrl {
  const refuse: Refuse = (problem) => new InputError('INVALID_ADDRESS', `The source "${mask(text)}" ${problem}.`);
  if (text.length > maxUrlChars) throw refuse(`has ${text.length} characters, and ${maxUrlChars} are allowed`);
  if (unprintable.test(text) || text !== text.trim() || /\p{Cs}/u.test(text)) {
    throw refuse('contains a control character, or white space at its begin or end');
  }
  const [, schemeText = '', authority = '', path = ''] = /^([^:/?]+):\/\/([^/?]*)(.*)$/.exec(text) ?? [];
  const scheme = schemeText.toLowerCase();
  if (!isScheme(scheme)) throw refuse(`does not begin with one of ${schemeWords}`);
  if (scheme === 'rtmp' || scheme === 'rtmps') {
    const { host, port, username, password } = parseRtmpUrl(text, mask);
    return { scheme, host, port, path, ...userOf(username, password) };
  }
  const at = authority.lastIndexOf('@');
  const { username, password } = at < 0 ? {} : parseUserInfo(authority.slice(0, at), refuse);
  const { host, port = null } = parseHostAndPort(authority.slice(at + 1), refuse);
  const usual = port ?? ports[scheme];
  if (usual === undefined) throw refuse('needs a port: srt://HOST:PORT?streamid=NAME');
  if (scheme === 'srt') checkSrt(path, refuse);
  return { scheme, host, port: usual, path, ...userOf(username, password) };
}

function userOf(username?: string, password?: string): { username?: string; password?: string } {
  return {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
  };
}

function isScheme(text: string): text is SourceScheme {
  return Object.hasOwn(ports, text);
}

function checkSrt(path: string, refuse: Refuse): void {
  for (const [name, value] of new URLSearchParams(path.slice(path.indexOf('?') + 1))) {
    if (!path.includes('?')) return;
    if (!srtParameters.has(name)) {
      // Its name is not repeated: behind a "&" that is not encoded it is a piece of a password.
      throw refuse(`has a parameter that is none of ${[...srtParameters].join(', ')} ("&" in a value is %26)`);
    }
    if (name === 'mode' && value !== 'caller') throw refuse('has another mode than caller, which alone is pulled');
  }
}

/** Shorter texts stand in too much else. */
const shortestSecret = 3;

/**
 * What of the URL of a source must not be repeated: its password and the values of its query, as written and decoded.
 * Long ones first, since one may be part of another.
 */
export function secretsOfSource(text: string): string[] {
  const { password = '', path } = parseSourceUrl(text);
  const secrets = new Set([password, encodeURIComponent(password)]);
  const written = /^[^/]*\/\/[^/?:]*:([^/?]*)@/.exec(text)?.[1] ?? '';
  secrets.add(written);
  const query = path.includes('?') ? path.slice(path.indexOf('?') + 1) : '';
  for (const pair of query.split('&')) secrets.add(pair.slice(pair.indexOf('=') + 1));
  for (const value of new URLSearchParams(query).values()) secrets.add(value);
  return [...secrets].filter((secret) => secret.length >= shortestSecret).sort((a, b) => b.length - a.length);
}
