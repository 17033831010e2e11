import { Dialer } from '../../net/dialer.js';
import { TargetWatch } from '../../push/target-watch.js';
import type { CameraContext } from './camera-context.js';
import type { NativeMediaSettings } from './native-settings.js';

/** Another node that does not answer: when it is given up, and how often it is tried, at most. */
const hopConnectMs = 4000;
const hopRetryMaxMs = 4000;

/**
 * How other nodes are connected to: as targets are, but tried more often, and wherever they are, since where pushes may go
 * is of no concern between nodes.
 * @param dialing how connections are made, besides
 */
export function hopDialing(
  media: NativeMediaSettings,
  dialing: Omit<NonNullable<ConstructorParameters<typeof Dialer>[0]>, 'policy' | 'socketMode'>,
): CameraContext['hops'] {
  const { socketMode, pushRetryMaxMs, connectTimeoutMs } = media;
  const dialer = new Dialer({ ...dialing, socketMode });
  const settings = {
    ...media,
    pushRetryMaxMs: Math.min(pushRetryMaxMs, hopRetryMaxMs),
    connectTimeoutMs: Math.min(connectTimeoutMs, hopConnectMs),
  };
  return { settings, watch: new TargetWatch(undefined, dialer), dialer };
}
