import { maskUrl } from '../address/rtmp-url.js';
import { type ErrorCode, SourceError } from '../errors.js';
import type { ProgramEnd } from '../process/supervised-program.js';
import { proxyStatuses } from './http-proxy.js';

/** What ffmpeg says, by what it means to an operator; the first that fits counts. */
const meanings: readonly { readonly pattern: RegExp; readonly code: ErrorCode; readonly words: string }[] = [
  {
    pattern: statusPattern('SOURCE_FORBIDDEN'),
    code: 'SOURCE_FORBIDDEN',
    words: 'names an address where sources may not be',
  },
  {
    pattern: statusPattern('SOURCE_REFUSED'),
    code: 'SOURCE_REFUSED',
    words: 'is, or names, an address that refuses TCP connections: nothing listens there',
  },
  {
    pattern: statusPattern('SOURCE_UNREACHABLE'),
    code: 'SOURCE_UNREACHABLE',
    words: 'is, or names, an address that does not answer',
  },
  {
    pattern: statusPattern('SOURCE_TLS'),
    code: 'SOURCE_TLS',
    words: 'is, or names, a host whose certificate is not trusted (push-tls-ca can name it as trusted)',
  },
  { pattern: statusPattern('SOURCE_DNS'), code: 'SOURCE_DNS', words: 'is, or names, a host that has no address' },
  {
    pattern: /\b401\b.*(?:Unauthorized|authorization)|\b403\b|Forbidden|authorization failed/i,
    code: 'SOURCE_AUTH',
    words: 'rejects the user name or the password (or wants SHA-256 digests, which ffmpeg does not speak)',
  },
  {
    pattern: /Incorrect passphrase|BADSECRET|wrong password/i,
    code: 'SOURCE_AUTH',
    words: 'rejects the passphrase',
  },
  {
    pattern: /\b404\b|Not Found|Stream Not Found|REJX_NOT_FOUND/i,
    code: 'SOURCE_NOT_FOUND',
    words: 'has no stream at this path',
  },
  {
    pattern:
      /codec \S+ not compatible with flv|does not support sample rate|not supported in flv|Could not find tag for codec/i,
    code: 'SOURCE_CODEC',
    words: 'sends a codec that this ffmpeg cannot put into RTMP (H.265 and AV1 take ffmpeg 6.1)',
  },
  {
    pattern: /does not contain any stream/i,
    code: 'SOURCE_CODEC',
    words: 'has neither picture nor sound',
  },
  { pattern: /Connection refused/i, code: 'SOURCE_REFUSED', words: 'refuses TCP connections: nothing listens there' },
  {
    pattern: /Connection to srt:\S+ failed|No route to host|Network is unreachable|timed out|Host is down/i,
    code: 'SOURCE_UNREACHABLE',
    words: 'does not answer',
  },
  {
    pattern: /Protocol not found|not on whitelist|Unknown input format|Unrecognized option|Option \S+ not found/i,
    code: 'SOURCE_PROGRAM',
    words: 'is of a kind that this ffmpeg cannot fetch',
  },
  {
    pattern: /Invalid data found|Unable to open|Nonmatching transport|method \w+ failed|Server returned [45]/i,
    code: 'SOURCE_PROTOCOL',
    words: 'answers what ffmpeg does not understand',
  },
];

/** What ffmpeg says of an answer of the proxy. */
function statusPattern(code: keyof typeof proxyStatuses): RegExp {
  return new RegExp(`HTTP error ${proxyStatuses[code]}\\b`);
}

/** True where the sound alone keeps a source from RTMP: without it, the picture can go on. */
export function isForSound(lines: readonly string[]): boolean {
  return lines.some((line) => /Audio codec \S+ not compatible with flv|FLV does not support sample rate/i.test(line));
}

/**
 * Why a run of ffmpeg is over.
 * @param endpoint `host:port` of the source
 * @param secrets what must not be repeated
 * @param file the program, as it was named
 */
export function endOfFfmpeg(
  end: ProgramEnd,
  {
    endpoint,
    secrets,
    file,
  }: { readonly endpoint: string; readonly secrets: readonly string[]; readonly file: string },
): SourceError {
  if (end.failure !== null) {
    const { code } = end.failure;
    const why =
      code === 'ENOENT' ? `there is no program "${file}"; install ffmpeg, or name it with --ffmpeg PATH` : String(code);
    return new SourceError('SOURCE_PROGRAM', `ffmpeg cannot be started: ${why}`);
  }
  const lines = end.lines.map((line) => cleanLine(line, secrets));
  const errors = lines.filter((line) => /\[(?:error|fatal|panic)\]|SRT:|HTTP error/.test(line));
  for (const { pattern, code, words } of meanings) {
    const line = errors.find((each) => pattern.test(each));
    if (line !== undefined) return new SourceError(code, `${endpoint} ${words}: ${line}`);
  }
  const last = errors.at(-1) ?? '';
  const how = end.signal === null ? '' : ` by ${end.signal}`;
  if (end.signal !== null || (end.code !== 0 && last === '')) {
    return new SourceError('SOURCE_PROGRAM', `ffmpeg ended${how} (exit code ${end.code ?? 'none'})`);
  }
  return new SourceError('SOURCE_CLOSED', `${endpoint} ended the stream${last === '' ? '' : `: ${last}`}`);
}

/** A line of ffmpeg as it may be shown: without secrets, without the addresses of its insides. */
export function cleanLine(line: string, secrets: readonly string[]): string {
  let clean = line.replace(/ @ 0x[0-9a-f]+/g, '');
  // First, since a password may have a quote in it, which ends a URL here.
  for (const secret of secrets) clean = clean.replaceAll(secret, '***');
  clean = clean.replace(/[a-z]+:\/\/[^\s'"]+/gi, (url) => maskUrl(url));
  return clean.replace(/[^\x20-\x7e]/g, '?').slice(0, 300);
}
