import { PushPolicy } from '../address/push-policy.js';
import { parseRtmpUrl } from '../address/rtmp-url.js';
import type { Settings } from '../config/index.js';
import { TargetError } from '../errors.js';
import type { RefuseTarget } from '../model/rules.js';

/**
 * Why an aggregator with these settings would not push to a URL, where none runs that could be asked: as its media
 * backend says it. Of ports that it takes as they come (0) nothing is known.
 */
export async function targetRuleOf(settings: Settings): Promise<RefuseTarget> {
  const { host, media, rtmpPort, rtmpsPort, apiPort } = settings;
  const policy = new PushPolicy(media);
  for (const port of [rtmpPort, rtmpsPort, apiPort]) {
    if (port !== undefined && port !== 0) policy.addListener({ host, port });
  }
  if (settings.backend === 'native') {
    return (url) => {
      const target = parseRtmpUrl(url);
      return policy.refusesHost(target.host, target.port);
    };
  }
  const { noAudio, pushTarget } = await import('../backend/nginx/push-target.js');
  return (url, audio) => {
    const target = pushTarget(url);
    if ('code' in target) return new TargetError(target.code, target.message);
    if (audio !== undefined) return new TargetError('TARGET_UNSUPPORTED', noAudio(audio).message, { field: 'audio' });
    return policy.refusesHost(target.ip ?? target.host ?? '', target.port);
  };
}

/** The media backend of these settings, where it cannot switch between the ingests of a camera; null: it can. */
export function withoutStandby({ backend }: Settings): string | null {
  return backend === 'nginx' ? backend : null;
}
