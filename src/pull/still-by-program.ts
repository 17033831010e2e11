import { hostInUrl } from '../address/host.js';
import { parseSourceUrl, secretsOfSource } from '../address/source-url.js';
import { SourceError } from '../errors.js';
import type { Dialer } from '../net/dialer.js';
import { setHeardTimeout } from '../process/standstill.js';
import { SupervisedProgram } from '../process/supervised-program.js';
import { ffmpegInput, stillArguments } from './ffmpeg-input.js';
import { endOfFfmpeg } from './ffmpeg-messages.js';
import { RtspRelay } from './rtsp-relay.js';
import { sourceErrorOf } from './source-error.js';

/** A JPEG of the width that is asked for is far smaller. */
const maxStillBytes = 4 << 20;

export interface StillOptions {
  /** `rtsp[s]://`, with the login. */
  readonly url: string;
  readonly transport?: 'udp' | undefined;
  /** The program, as a path or a name that is looked for in PATH. */
  readonly ffmpeg: string;
  /** For all of it. */
  readonly timeoutMs: number;
  readonly dialer: Dialer;
  /** Ends it: SOURCE_CLOSED. */
  readonly signal?: AbortSignal;
}

/**
 * One picture of an RTSP source, decoded by ffmpeg, as a JPEG of 1280 pixels at most in width. The way there is that of a pull:
 * the judged address, no redirect, and no password on the command line.
 * @throws (rejects) SourceError
 */
export async function stillByProgram(options: StillOptions): Promise<Buffer> {
  const { url, transport, ffmpeg, timeoutMs, dialer, signal } = options;
  const parsed = parseSourceUrl(url);
  const endpoint = `${hostInUrl(parsed.host)}:${parsed.port}`;
  if (parsed.scheme !== 'rtsp' && parsed.scheme !== 'rtsps') {
    throw new SourceError(
      'SOURCE_PROTOCOL',
      `${endpoint}: a picture is taken from RTSP, and not from ${parsed.scheme}://`,
    );
  }
  let onRedirect: (error: SourceError) => void = () => {};
  const relay = await RtspRelay.open(parsed, dialer, {
    timeoutMs,
    transport,
    onRefused: () =>
      onRedirect(new SourceError('SOURCE_PROTOCOL', `${endpoint} redirects elsewhere, which is not followed`)),
  }).catch((error: unknown) => {
    throw sourceErrorOf(error, endpoint);
  });
  let program: SupervisedProgram | undefined;
  let timer: NodeJS.Timeout | undefined;
  let stop: () => void = () => {};
  try {
    const port = await relay.listen();
    return await new Promise<Buffer>((resolve, reject) => {
      onRedirect = reject;
      stop = () => reject(new SourceError('SOURCE_CLOSED', `${endpoint} is not asked: this program stops`));
      signal?.addEventListener('abort', stop);
      if (signal?.aborted === true) {
        stop();
        return;
      }
      const parts: Buffer[] = [];
      let bytes = 0;
      timer = setHeardTimeout(() => {
        reject(new SourceError('SOURCE_STALLED', `${endpoint} gave no picture within ${timeoutMs / 1000} s`));
      }, timeoutMs);
      program = new SupervisedProgram({
        file: ffmpeg,
        args: stillArguments(parsed.scheme === 'rtsps' ? 'rtsps' : 'rtsp'),
        env: { PATH: process.env.PATH ?? '', LC_ALL: 'C' },
        input: ffmpegInput(parsed, { address: '127.0.0.1', port, transport, timeoutMs }),
        onOutput: (data) => {
          bytes += data.length;
          if (bytes > maxStillBytes)
            reject(new SourceError('SOURCE_PROTOCOL', `${endpoint}: the picture is too large`));
          else parts.push(data);
        },
        onEnd: (end) => {
          if (end.code === 0 && bytes > 0) resolve(Buffer.concat(parts));
          else reject(endOfFfmpeg(end, { endpoint, secrets: secretsOfSource(url), file: ffmpeg }));
        },
      });
    });
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', stop);
    relay.close();
    program?.stop();
  }
}
