import { maskUrl, parseRtmpUrl } from '../address/rtmp-url.js';
import { secretsOfSource } from '../address/source-url.js';
import type { Dialer } from '../net/dialer.js';
import { PlayConnection, type PlaySettings } from '../rtmp/play-connection.js';
import type { PullLife, PullListener } from './life.js';
import { sourceErrorOf } from './source-error.js';

/** Plays a stream of an RTMP server. @throws InputError INVALID_ADDRESS; TargetError TARGET_FORBIDDEN, OPEN_FILES_LIMIT */
export function pullRtmp(
  text: string,
  { settings, dialer }: { readonly settings: PlaySettings; readonly dialer: Dialer },
  listener: PullListener,
): PullLife {
  const url = parseRtmpUrl(text, maskUrl);
  const connection = new PlayConnection({
    ...{ url, settings, dialer, secrets: secretsOfSource(text) },
    handler: {
      onMedia: (type, timestampMs, payload) => listener.onMedia(type, timestampMs, payload),
      onEnded: (error) => listener.onEnded(sourceErrorOf(error, connection.endpoint)),
    },
  });
  return connection;
}
