import type { OwnListener } from '../../address/push-policy.js';
import { sourcePolicy } from '../../address/push-policy.js';
import { parseSourceUrl } from '../../address/source-url.js';
import type { CodedError } from '../../errors.js';
import { Dialer } from '../../net/dialer.js';
import { DialGate } from '../../pull/dial-gate.js';
import { HttpProxy } from '../../pull/http-proxy.js';
import type { PullSettings } from '../../pull/pull.js';
import { sourceErrorOf } from '../../pull/source-error.js';
import type { SourceSettings } from '../../pull/start-pull.js';
import type { PullContext } from './camera-pulls.js';

export interface SourceToolSettings extends SourceSettings, PullSettings {
  readonly sourceAllow?: readonly string[];
  readonly sourceDeny?: readonly string[];
  /** Sources that may be dialled at a time. */
  readonly sourceDials: number;
}

/** Programs that make AAC and have given no sound yet, at a time: a start takes a tenth of a second of a core. */
const transcoderStarts = 8;

/** What the sources of all cameras of a process share: where they may be, how many are dialled, the proxy of programs. */
export class SourceTools implements PullContext {
  readonly settings: SourceToolSettings;
  readonly pullSettings: PullSettings;
  readonly dialer: Dialer;
  readonly proxy: HttpProxy;
  readonly gate: DialGate;
  readonly transcoders: DialGate;

  /** @param dialing how connections are made, besides where to */
  constructor(
    settings: SourceToolSettings,
    dialing: Omit<NonNullable<ConstructorParameters<typeof Dialer>[0]>, 'policy'> = {},
  ) {
    this.settings = settings;
    this.pullSettings = settings;
    this.dialer = new Dialer({ ...dialing, policy: sourcePolicy(settings) });
    this.proxy = new HttpProxy(this.dialer, settings.connectTimeoutMs);
    this.gate = new DialGate(settings.sourceDials);
    this.transcoders = new DialGate(transcoderStarts);
  }

  /** Refuses sources at this listener from now on. */
  addListener(listener: OwnListener): void {
    this.dialer.policy.addListener(listener);
  }

  /** Why there is no way to a source whatever its name resolves to; undefined when there may be one. */
  refuses(url: string): CodedError | undefined {
    const { host, port } = parseSourceUrl(url);
    const refusal = this.dialer.policy.refusesHost(host, port);
    return refusal === undefined ? undefined : sourceErrorOf(refusal, host);
  }

  close(): void {
    this.proxy.close();
  }
}
