import { hostInUrl } from '../address/host.js';
import type { SourceUrl } from '../address/source-url.js';

/** What a source needs of ffmpeg's protocols; nothing else may be reached, whatever a playlist names. */
const protocols = {
  rtsp: 'pipe,rtsp,rtp,udp,tcp',
  rtsps: 'pipe,rtsp,rtp,udp,tcp',
  srt: 'pipe,srt',
  // Playlists name segments and keys over either; ffmpeg reaches both through `http_proxy`.
  http: 'pipe,http,https,httpproxy,tcp,tls,crypto',
  https: 'pipe,http,https,httpproxy,tcp,tls,crypto',
} as const;

export type ProgramScheme = keyof typeof protocols;

/** True for sources that a program fetches. */
export function isProgramScheme(scheme: string): scheme is ProgramScheme {
  return Object.hasOwn(protocols, scheme);
}

/** How long ffmpeg looks for what a source has before it begins, microseconds; a track that says nothing takes all of it. */
const analyzeMicroseconds = 2_000_000;
/** How long a frame of one kind waits for one of the other, microseconds: of a camera whose sound is off none ever comes. */
const interleaveMicroseconds = 1_000_000;

/** The command line: there is nothing of the source in it but its scheme. */
export function ffmpegArguments(scheme: ProgramScheme, withAudio: boolean): string[] {
  return copyIntoFlv(protocols[scheme], ['-f', 'concat', '-safe', '0', '-i', 'pipe:0'], withAudio);
}

/** The command line that copies an input into FLV. @param protocols what may be reached @param input options of the input */
export function copyIntoFlv(protocols: string, input: readonly string[], withAudio: boolean): string[] {
  return [
    ...['-hide_banner', '-nostats', '-nostdin', '-loglevel', 'level+info'],
    ...['-protocol_whitelist', protocols, ...input],
    ...['-map', '0:v:0?', ...(withAudio ? ['-map', '0:a:0?'] : []), '-c', 'copy'],
    ...['-max_interleave_delta', String(interleaveMicroseconds), '-flush_packets', '1'],
    // Bit-exact: without the name of this ffmpeg, which is not the encoder.
    ...['-fflags', '+bitexact', '-flvflags', 'no_duration_filesize', '-f', 'flv', 'pipe:1'],
  ];
}

/** The command line for one picture, decoded and made a JPEG. */
export function stillArguments(scheme: 'rtsp' | 'rtsps'): string[] {
  return [
    ...['-hide_banner', '-nostats', '-nostdin', '-loglevel', 'level+info'],
    ...['-protocol_whitelist', protocols[scheme], '-f', 'concat', '-safe', '0', '-i', 'pipe:0'],
    ...['-map', '0:v:0', '-frames:v', '1', '-vf', "scale='min(1280,iw)':-2", '-threads', '1'],
    ...['-c:v', 'mjpeg', '-pix_fmt', 'yuvj420p', '-q:v', '4', '-f', 'image2pipe', 'pipe:1'],
  ];
}

/**
 * What ffmpeg reads from its standard input: a list of one source (ffconcat), with the URL and what it is opened with. So
 * neither the command line nor the environment has a password in it.
 * @param address what is connected to, and `port`; undefined: those of the URL, through the proxy of this process
 * @param timeoutMs how long the source may say nothing
 */
export function ffmpegInput(
  url: SourceUrl,
  options: {
    readonly address?: string;
    readonly port?: number;
    readonly transport?: 'udp' | undefined;
    readonly timeoutMs: number;
  },
): string {
  const { scheme, host, port, path, username, password } = url;
  const user =
    username === undefined
      ? ''
      : `${encodeURIComponent(username)}${password === undefined ? '' : `:${encodeURIComponent(password)}`}@`;
  // TLS is spoken by the relay.
  const text = `${scheme === 'rtsps' ? 'rtsp' : scheme}://${user}${hostInUrl(options.address ?? host)}:${options.port ?? port}${path}`;
  const microseconds = options.timeoutMs * 1000;
  const isRtsp = scheme === 'rtsp' || scheme === 'rtsps';
  return [
    'ffconcat version 1.0',
    `file ${quoted(text)}`,
    `option analyzeduration ${analyzeMicroseconds}`,
    ...(isRtsp ? [`option rtsp_transport ${options.transport ?? 'tcp'}`, `option timeout ${microseconds}`] : []),
    ...(scheme === 'http' || scheme === 'https' ? [`option rw_timeout ${microseconds}`] : []),
    '',
  ].join('\n');
}

/** As ffmpeg quotes (`av_get_token`): nothing is special between quotes but the quote. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
