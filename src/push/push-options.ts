import type { TargetError } from '../errors.js';
import type { Logger } from '../log/log.js';
import type { Dialer } from '../net/dialer.js';
import type { OutletLimits } from '../relay/outlet-sink.js';
import type { NetSettings } from '../rtmp/settings.js';
import type { PushProfile } from './push-profile.js';
import type { TargetWatch } from './target-watch.js';

/** What a push is made of: where it goes, how, and who is told. */
export interface PushOptions {
  readonly url: string;
  /** The URL for one connection, where each has another one to the same place. */
  readonly urlNow?: () => string;
  /** The URL as it may be shown. */
  readonly shownUrl: string;
  /** False: it has no connection; `elsewhere`: another node has it. */
  readonly enabled: boolean | 'elsewhere';
  readonly limits: OutletLimits;
  /** Default: every track, and the target is told what the stream needs. */
  readonly profile?: PushProfile;
  readonly settings: NetSettings;
  readonly watch: TargetWatch;
  readonly dialer: Dialer;
  readonly log: Logger;
  /**
   * Asked before it connects, while it holds no room at this node. @param wasRefused it asked before, and there was none
   * @returns why there is none; undefined: it holds room from now on
   */
  readonly takeRoom?: (wasRefused: boolean) => TargetError | undefined;
  /** It takes over the room of the push that it replaces. */
  readonly holdsRoom?: boolean;
  /** Called when its phase has changed. */
  readonly onPhase?: () => void;
}
