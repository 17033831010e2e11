import { InputError } from '../errors.js';

/** An RTMP URL in the parts that a client needs. */
export interface RtmpUrl {
  scheme: 'rtmp' | 'rtmps';
  /** Lower case; an IPv6 address without brackets. */
  host: string;
  /** 1 to 65535; 1935 for rtmp and 443 for rtmps where the URL names none. */
  port: number;
  /** One segment or several, without slashes at the ends: `live`, `live/instance`. */
  app: string;
  /** With its query, as it is to be sent in `publish`. */
  streamName: string;
  /** What `connect` says: scheme, host, port and application, never user info. The port is always there, as ffmpeg and librtmp send it. */
  tcUrl: string;
  /** Percent-decoded. */
  username?: string;
  password?: string;
}

const maxUrlChars = 1024;
const example = 'rtmp://HOST:1935/APPLICATION/STREAM';
/** Control characters of ASCII and Latin-1, and every kind of white space. */
const unprintable = /[\p{Cc}\s]/u;
const defaultPorts = { rtmp: 1935, rtmps: 443 } as const;

/**
 * Takes apart `rtmp[s]://[user[:password]@]host[:port]/app[/instance...]/stream[?query]`.
 *
 * The last segment of the path is the stream name and keeps the query; the rest is the application. Where the path
 * has one segment only and the query contains a slash, the query belongs to the application, as SRS and nginx-rtmp
 * take it: `rtmp://host/live?vhost=a/stream`. Percent signs in the path stay as they are, since RTMP has no escapes.
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
    throw refuse('contains white space or a control character');
  }
  if (/[#\\]/.test(text)) {
    throw refuse('contains "#" or "\\", which have no meaning in it');
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

  const at = authority.lastIndexOf('@');
  const user = at < 0 ? {} : parseUserInfo(authority.slice(0, at), refuse);
  const { host, port } = parseHostAndPort(authority.slice(at + 1), refuse);
  const { app, streamName } = splitPath(rest, refuse);
  const shownHost = host.includes(':') ? `[${host}]` : host;
  const numericPort = port ?? defaultPorts[scheme];
  return {
    scheme,
    host,
    port: numericPort,
    app,
    streamName,
    tcUrl: `${scheme}://${shownHost}:${numericPort}/${app}`,
    ...user,
  };
}

type Refuse = (problem: string) => InputError;

function parseUserInfo(text: string, refuse: Refuse): { username: string; password?: string } {
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

function parseHostAndPort(text: string, refuse: Refuse): { host: string; port: number | null } {
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
  const path = question < 0 ? text : text.slice(0, question);
  if (!path.startsWith('/') || path === '/') {
    throw refuse('names neither an application nor a stream');
  }
  let slash = path.lastIndexOf('/');
  if (slash === 0 && question >= 0) {
    slash = Math.max(0, text.lastIndexOf('/'));
  }
  if (slash === 0) {
    throw refuse('names no stream after the application');
  }
  const app = text.slice(1, slash);
  const streamName = text.slice(slash + 1);
  if (streamName === '' || streamName.startsWith('?')) {
    throw refuse('ends without a stream name');
  }
  const appPath = app.includes('?') ? app.slice(0, app.indexOf('?')) : app;
  const segments = [...appPath.split('/'), streamName];
  if (segments.includes('')) {
    throw refuse('has an empty part in its application');
  }
  if (segments.includes('.') || segments.includes('..')) {
    throw refuse('has "." or ".." as a part of its path');
  }
  return { app, streamName };
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
  const shown = text.slice(0, maxUrlChars).replace(/[\p{Cc}\p{Cs}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, '\ufffd');
  const cut = text.length > maxUrlChars ? '…' : '';
  const scheme = /^[A-Za-z][A-Za-z0-9+.-]*:\/\//.exec(shown)?.[0] ?? '';
  const rest = shown.slice(scheme.length);
  return scheme + maskQuery(maskUserInfo(rest)) + cut;
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
  const match = /^(.*[/\\])([^/\\]+)([/\\]*)$/s.exec(masked.slice(scheme.length, pathEnd));
  if (match === null) return masked;
  const [, before = '', streamName = '', slashes = ''] = match;
  if (tellsTheCamera(streamName, cameraName)) return masked;
  return `${scheme}${before}${[...streamName].slice(0, 2).join('')}***${slashes}${masked.slice(pathEnd)}`;
}

function tellsTheCamera(streamName: string, cameraName: string): boolean {
  const at = cameraName === '' ? -1 : streamName.indexOf(cameraName);
  if (at < 0) return false;
  const before = streamName.slice(0, at);
  const after = streamName.slice(at + cameraName.length);
  // Set off: else the key "a8f0c311" would tell camera "a".
  const isSetOff =
    (before === '' || affixSeparators.includes(before.at(-1)!)) &&
    (after === '' || affixSeparators.includes(after[0]!));
  return isSetOff && before.length + after.length <= maxAffixChars;
}
