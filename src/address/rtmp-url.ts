import { InputError } from '../errors.js';

/** The parts of an RTMP URL that a client needs. */
export interface RtmpUrl {
  scheme: 'rtmp' | 'rtmps';
  /** Lower case; an IPv6 address without brackets. */
  host: string;
  /** 1 to 65535; the default is 1935 for rtmp and 443 for rtmps. */
  port: number;
  /** One segment or two, without slashes at the ends: `live`, `live/instance`; where the query is its own, with that. */
  app: string;
  /** With its query, as it is sent in `publish`; empty if the URL has only an application. */
  streamName: string;
  /**
   * What `connect` says: scheme, host as it is written, port and application, never user info. The port is always there,
   * as ffmpeg and librtmp send it.
   */
  tcUrl: string;
  /** Percent-decoded. */
  username?: string;
  password?: string;
}

/** Some services put tokens of more than a thousand characters into the query. */
export const maxUrlChars = 4096;
/** Maximum length of a URL in messages. */
const maxShownChars = 1024;
const example = 'rtmp://HOST:1935/APPLICATION/STREAM';
/** Control characters of ASCII and Latin-1, and every kind of white space but the plain one. */
export const unprintable = /[\p{Cc}\p{Zl}\p{Zp}]|[^\S ]/u;
const defaultPorts = { rtmp: 1935, rtmps: 443 } as const;

/**
 * Takes apart `rtmp[s]://[user[:password]@]host[:port]/app[/instance][/stream][?query]`, as ffmpeg does (libavformat,
 * `rtmpproto.c`, `rtmp_open`), so that a URL that works with it works here; `docs/compatibility.md` has the differences.
 *
 * Of a path of three parts or more the first two are the application and the rest is the stream name; of two, one each;
 * one alone is an application, and the stream name is empty, as MediaMTX has it. A stream name with a prefix (`mp4:a/b`)
 * begins with that. The query belongs to the stream name; where the path has one part, to the application, up to a slash:
 * `rtmp://host/live?vhost=a/stream`. Nothing is decoded, since RTMP has no escapes: a key is written as it is, with `#`,
 * `\\`, `%` and blanks within it.
 *
 * @throws InputError INVALID_ADDRESS; the message names what is wrong and what would be right, and shows the URL only
 *   as `mask` does: `maskTarget` where others than the author may read it
 */
export function parseRtmpUrl(text: string, mask: (text: string) => string = maskUrl): RtmpUrl {
  const refuse = (problem: string): InputError =>
    new InputError('INVALID_ADDRESS', `The URL "${mask(text)}" ${problem}; right is ${example}.`);
  if (text.length > maxUrlChars) {
    throw refuse(`has ${text.length} characters, and ${maxUrlChars} are allowed`);
  }
  if (unprintable.test(text)) {
    throw refuse('contains a control character, or white space other than blanks');
  }
  if (text !== text.trim()) {
    throw refuse('begins or ends with white space');
  }
  if (/\p{Cs}/u.test(text)) {
    throw refuse('contains half of a surrogate pair');
  }
  const match = /^([^:/?]+):\/\/([^/?]*)(.*)$/.exec(text);
  if (match === null) {
    throw refuse('has no scheme and host');
  }
  const [, schemeText = '', authority = '', rest = ''] = match;
  const scheme = schemeText.toLowerCase();
  if (scheme !== 'rtmp' && scheme !== 'rtmps') {
    throw refuse('begins with another scheme than rtmp:// and rtmps://');
  }

  if (authority.includes(' ')) {
    throw refuse('contains white space in its host');
  }
  const at = authority.lastIndexOf('@');
  const user = at < 0 ? {} : parseUserInfo(authority.slice(0, at), refuse);
  const { host, port } = parseHostAndPort(authority.slice(at + 1), refuse);
  const { app, streamName } = splitPath(rest, refuse);
  const writtenHost = authority.slice(at + 1).replace(/:[0-9]*$/, '');
  const numericPort = port ?? defaultPorts[scheme];
  return {
    scheme,
    host,
    port: numericPort,
    app,
    streamName,
    tcUrl: `${scheme}://${writtenHost}:${numericPort}/${app}`,
    ...user,
  };
}

export type Refuse = (problem: string) => InputError;

/** What stands before the `@`, percent-decoded. @throws InputError what `refuse` makes */
export function parseUserInfo(text: string, refuse: Refuse): { username: string; password?: string } {
  const colon = text.indexOf(':');
  const username = decodePart(colon < 0 ? text : text.slice(0, colon), refuse);
  return colon < 0 ? { username } : { username, password: decodePart(text.slice(colon + 1), refuse) };
}

function decodePart(text: string, refuse: Refuse): string {
  let decoded: string;
  try {
    decoded = decodeURIComponent(text);
  } catch {
    throw refuse('has a "%" in its user name or password that escapes nothing (a plain one is written %25)');
  }
  if (/\p{Cc}/u.test(decoded)) {
    throw refuse('has an escaped control character in its user name or password');
  }
  return decoded;
}

/** @throws InputError what `refuse` makes */
export function parseHostAndPort(text: string, refuse: Refuse): { host: string; port: number | null } {
  const match = /^(\[[^\]]*\]|[^:]*)(?::([^:]*))?$/.exec(text);
  if (match === null) {
    throw refuse('has several colons in its host (an IPv6 address stands in square brackets)');
  }
  const [, hostText = '', portText] = match;
  const host = hostText.startsWith('[') ? parseIpv6(hostText) : parseHostName(hostText);
  if (host === null) {
    throw refuse(hostText === '' ? 'names no host' : `has a host that is neither a name nor an address`);
  }
  if (portText === undefined) {
    return { host, port: null };
  }
  const port = /^[0-9]{1,5}$/.test(portText) ? Number(portText) : 0;
  if (port < 1 || port > 65535) {
    throw refuse('has a port that is no number from 1 to 65535');
  }
  return { host, port };
}

/** `text` has its brackets; the result is in the shortest form, without them. */
function parseIpv6(text: string): string | null {
  return URL.canParse(`http://${text}/`) ? new URL(`http://${text}/`).hostname.slice(1, -1) : null;
}

/** A name by the rules of DNS, with underscores, which private networks use; or four decimal numbers. */
function parseHostName(text: string): string | null {
  const host = text.toLowerCase();
  const labels = (host.endsWith('.') ? host.slice(0, -1) : host).split('.');
  if (host.length > 253 || !labels.every((label) => /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/.test(label))) {
    return null;
  }
  // A name whose last label is a number is taken for an IPv4 address everywhere, so it must be one, as people write it
  // (WHATWG URL, 3.5): resolvers make 127.0.0.1 of 0x7f.1, 0177.0.0.1 and 2130706433.
  if (/^(?:[0-9]+|0x[0-9a-f]*)$/.test(labels.at(-1) ?? '')) {
    const isIpv4 = labels.length === 4 && labels.every((label) => /^(0|[1-9][0-9]{0,2})$/.test(label) && +label < 256);
    return isIpv4 ? labels.join('.') : null;
  }
  return host;
}

function splitPath(text: string, refuse: Refuse): { app: string; streamName: string } {
  const question = text.indexOf('?');
  const wholePath = question < 0 ? text : text.slice(0, question);
  const query = question < 0 ? '' : text.slice(question);
  if (!wholePath.startsWith('/') || wholePath === '/') {
    throw refuse('names neither an application nor a stream');
  }
  if (wholePath.startsWith('//')) {
    throw refuse('has an empty part in front of its application');
  }
  // Slashes that are doubled, or at the end, come from joining a server's URL with a key, and mean nothing.
  const segments = wholePath
    .slice(1)
    .split('/')
    .filter((segment) => segment !== '');
  if (segments.includes('.') || segments.includes('..')) {
    throw refuse('has "." or ".." as a part of its path');
  }
  if (segments.length === 1 && wholePath.endsWith('/')) return { app: segments[0]!, streamName: query };
  if (segments.length === 1) {
    const slash = query.indexOf('/');
    const app = segments[0]! + (slash < 0 ? query : query.slice(0, slash));
    const streamName = slash < 0 ? '' : query.slice(slash + 1);
    if (['.', '..'].includes(streamName)) throw refuse('has "." or ".." as a part of its path');
    return { app, streamName };
  }
  const appSegments = segments.length === 2 || segments[1]!.includes(':') ? 1 : 2;
  const streamName = segments.slice(appSegments).join('/') + query;
  return { app: segments.slice(0, appSegments).join('/'), streamName };
}

/**
 * The URL as it may be logged and shown. Works on any text, a malformed URL too, and never throws.
 *
 * Hidden are user info (`***@`), and every value of the query (`?key=***`). The path stays: where an engine has one
 * secret per stream it may be the name itself, but with cameras the name is what an operator looks for, and platforms
 * whose names are secrets can be given the query form or be addressed by the name of an engine. Where it is doubtful
 * what belongs to the user info, more is hidden. Control characters become `\uFFFD`, and what exceeds 1,024 characters
 * is cut off, so that the result cannot forge a line of a log.
 */
export function maskUrl(text: string): string {
  const scheme = /^[A-Za-z][A-Za-z0-9+.-]*:\/\//.exec(text.slice(0, maxShownChars))?.[0] ?? '';
  // Cut behind that: where the end of a password is cut off, it would not be known for one.
  const masked = scheme + maskQuery(maskUserInfo(text.slice(scheme.length)));
  const cut = masked.length > maxShownChars ? '…' : '';
  const shown = masked.slice(0, maxShownChars);
  return shown.replace(/[\p{Cc}\p{Cs}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, '\ufffd') + cut;
}

function maskUserInfo(rest: string): string {
  const authority = /^[^/?#\\]*/.exec(rest)?.[0] ?? '';
  // With a clean host before the path, an @ further on is part of the path or the query.
  const isClean = /^(\[[0-9A-Fa-f:.]*\]|[^@:[\]]*)(:[0-9]*)?$/.test(authority);
  const at = authority.includes('@') ? authority.lastIndexOf('@') : isClean ? -1 : rest.lastIndexOf('@');
  return at < 0 ? rest : `***@${rest.slice(at + 1)}`;
}

function maskQuery(rest: string): string {
  const start = rest.search(/[?#]/);
  if (start < 0) {
    return rest;
  }
  const masked = rest
    .slice(start + 1)
    .split('&')
    .map((pair) => {
      // What has nothing behind its equals signs may be a bare secret in base64.
      const name = /^([^=]*)=+[^=]/.exec(pair)?.[1];
      return name === undefined ? '***' : `${name}=***`;
    })
    .join('&');
  return `${rest.slice(0, start + 1)}${masked}`;
}

/** What may stand before and after the name of a camera in a stream name that is no secret: `NAME-engine`, `NAME_1`. */
const maxAffixChars = 8;
const affixSeparators = '-_.:~';

/**
 * The URL of a push as it may be logged and shown: as `maskUrl`, and the stream name too is cut to two characters and
 * `***`, since platforms take their key there (`rtmp://a.rtmp.youtube.com/live2/KEY`). It stays when it is the name of
 * the camera, or that name with a little set off before or behind it, `NAME-engine`, `NAME_1`: the name is what an
 * operator looks for. Works on any text, as `maskUrl` does, and never throws.
 */
export function maskTarget(url: string, cameraName: string): string {
  const masked = maskUrl(url);
  const scheme = /^[A-Za-z][A-Za-z0-9+.-]*:\/\//.exec(masked)?.[0] ?? '';
  const query = masked.slice(scheme.length).search(/[?#]/);
  const pathEnd = query < 0 ? masked.length : scheme.length + query;
  const path = masked.slice(scheme.length, pathEnd);
  const from = streamNameAt(path);
  const slashes = /[/\\]*$/.exec(path)?.[0] ?? '';
  const streamName = path.slice(from, path.length - slashes.length);
  if (from === 0 || streamName === '' || tellsTheCamera(streamName, cameraName)) return masked;
  const before = path.slice(0, from);
  return `${scheme}${before}${[...streamName].slice(0, 2).join('')}***${slashes}${masked.slice(pathEnd)}`;
}

/**
 * Where what may be a key begins in a host with its path: behind the application, which has at most two parts. 0: nowhere.
 */
function streamNameAt(path: string): number {
  const separators = path.includes('/') ? /\/+(?=[^/\\])/g : /\\+(?=[^\\])/g;
  const starts = [...path.matchAll(separators)].map((match) => match.index + match[0].length);
  // Without a slash, the meaning of the backslashes is unknown.
  if (starts.length <= 2 || !path.includes('/')) return starts.at(-1) ?? 0;
  const hasPrefix = path.slice(starts[1], starts[2]).includes(':');
  return (hasPrefix ? starts[1] : starts[2]) ?? 0;
}

function tellsTheCamera(streamName: string, cameraName: string): boolean {
  const at = cameraName === '' ? -1 : streamName.indexOf(cameraName);
  if (at < 0) return false;
  const before = streamName.slice(0, at);
  const after = streamName.slice(at + cameraName.length);
  // The name must be set off; otherwise the key "a8f0c311" would count as camera "a".
  const isSetOff =
    (before === '' || affixSeparators.includes(before.at(-1)!)) &&
    (after === '' || affixSeparators.includes(after[0]!));
  return isSetOff && before.length + after.length <= maxAffixChars;
}
