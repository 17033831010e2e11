import mpegts from 'mpegts.js';

export interface PlayOptions {
  readonly url: string;
  /** Sent with the request: who asks. */
  readonly headers: Record<string, string>;
  readonly hasVideo: boolean;
  readonly hasAudio: boolean;
  /** Called once at most, with the reason in words, and whether another try could go better. */
  readonly onFailed: (reason: string, mayRetry: boolean) => void;
}

mpegts.LoggingControl.enableAll = false;

/** Plays HTTP-FLV in a video element. Returns the way to end it. */
export function play(element: HTMLVideoElement, options: PlayOptions): () => void {
  const { url, headers, hasVideo, hasAudio, onFailed } = options;
  if (!mpegts.isSupported()) {
    onFailed('This browser cannot play live video (it has no Media Source Extensions).', false);
    return () => {};
  }
  const player = mpegts.createPlayer(
    { type: 'flv', isLive: true, url, hasVideo, hasAudio },
    {
      headers,
      isLive: true,
      enableWorker: false,
      lazyLoad: false,
      deferLoadAfterSourceOpen: false,
      autoCleanupSourceBuffer: true,
      // A little behind the live edge is caught up by playing faster, never by a jump.
      liveSync: true,
      liveSyncMaxLatency: 2,
      liveSyncTargetLatency: 0.8,
    },
  );
  let over = false;
  const fail = (reason: string, mayRetry = true) => {
    if (over) return;
    over = true;
    onFailed(reason, mayRetry);
  };
  player.on(mpegts.Events.ERROR, (kind: string, detail: string, info?: { code?: number; msg?: string }) => {
    fail(reasonOf(kind, detail, info), info?.code !== 501);
  });
  player.on(mpegts.Events.LOADING_COMPLETE, () => fail('The stream ended.'));
  player.attachMediaElement(element);
  player.load();
  // Refused only by settings of the browser; the controls are there then.
  Promise.resolve(player.play()).catch(() => undefined);
  return () => {
    over = true;
    player.destroy();
  };
}

function reasonOf(kind: string, detail: string, info: { code?: number; msg?: string } | undefined): string {
  if (kind === mpegts.ErrorTypes.NETWORK_ERROR) {
    if (info?.code === 501) return 'This media backend gives no pictures away; play the camera over RTMP.';
    if (info?.code === 404) return 'There is no stream to play here.';
    if (info?.code === 401 || info?.code === 403) return 'The token does not allow to watch.';
    return 'The stream broke off; trying again …';
  }
  if (detail === mpegts.ErrorDetails.MEDIA_CODEC_UNSUPPORTED) return 'This browser cannot decode the codec.';
  return `The browser cannot play it (${info?.msg ?? detail}).`;
}
