import { parseSourceUrl } from '../address/source-url.js';
import type { Logger } from '../log/log.js';
import type { Dialer } from '../net/dialer.js';
import type { PlaySettings } from '../rtmp/play-connection.js';
import type { HttpProxy } from './http-proxy.js';
import { type HttpPullSettings, pullHttp } from './http-pull.js';
import type { PullLife, PullListener, StartPull } from './life.js';
import { type ProgramSettings, pullByProgram } from './program-pull.js';
import { pullRtmp } from './rtmp-pull.js';

export type SourceSettings = PlaySettings & HttpPullSettings & ProgramSettings;

/** What all pulls of a process share. */
export interface PullTools {
  readonly settings: SourceSettings;
  /** Keeps to where sources may be. */
  readonly dialer: Dialer;
  readonly proxy: HttpProxy;
}

/**
 * How a source is fetched: RTMP, and FLV over HTTP, by our own clients; all else by ffmpeg. What comes over HTTP shows by its
 * first bytes; what was found is remembered for the next try.
 */
export function pullOf(
  source: { readonly url: string; readonly transport?: 'udp' | undefined },
  tools: PullTools,
  log: Logger,
): StartPull {
  const { url, transport } = source;
  const { scheme, path } = parseSourceUrl(url);
  let tryNumber = 0;
  const byProgram = (listener: PullListener): PullLife =>
    pullByProgram({ ...tools, url, transport, log, tryNumber: tryNumber++ }, listener);
  if (scheme === 'rtmp' || scheme === 'rtmps') return (listener) => pullRtmp(url, tools, listener);
  if (scheme !== 'http' && scheme !== 'https') return byProgram;
  let isFlv = !/\.m3u8$/i.test(path.split('?', 1)[0] ?? '');
  return (listener) => {
    if (!isFlv) return byProgram(listener);
    let life = pullHttp(url, tools, listener, () => {
      isFlv = false;
      if (!isClosed) life = byProgram(listener);
    });
    let isClosed = false;
    return {
      close() {
        isClosed = true;
        life.close();
      },
    };
  };
}
