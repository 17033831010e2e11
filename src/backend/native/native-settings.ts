import type { PushRules } from '../../address/push-policy.js';
import type { AdmissionSettings } from '../../admission/admission.js';
import type { CameraSettings } from './camera-context.js';
import type { CapacityLimits } from './node-capacity.js';
import type { SourceToolSettings } from './source-tools.js';

/** How media and pushes are treated. */
export interface NativeMediaSettings extends CameraSettings, SourceToolSettings, PushRules, AdmissionSettings {
  /** A file of certificates (PEM) that are trusted at rtmps:// targets. */
  readonly pushTlsCa?: string;
  /** How long what an SRT encoder sent and did not come is waited for, milliseconds; default: 120. */
  readonly srtLatencyMs?: number;
  /** The folder with the clips of slates; default: `slates` in the present one. */
  readonly slateDir?: string;
}

export interface RtmpsSettings {
  /** 0: any free port. */
  readonly port: number;
  readonly certFile: string;
  readonly keyFile: string;
}

export interface SrtEntrySettings {
  /** 0: any free port. */
  readonly port: number;
  /** A file with the passphrase of all encoders; undefined: they do not encrypt. */
  readonly passphraseFile?: string;
}

export interface NativeBackendSettings {
  /** The address to listen on. */
  readonly host: string;
  /** 0: any free port. */
  readonly rtmpPort: number;
  readonly media: NativeMediaSettings;
  /** A listener with TLS beside the plain one. */
  readonly rtmps?: RtmpsSettings;
  /** A listener for encoders that publish by SRT. */
  readonly srt?: SrtEntrySettings;
  /** What publish keys and play tokens are made from: 64 hex digits. Default: made up, for this life. */
  readonly streamSecret?: string;
  /** It will be told how streams go from node to node. Default: false. */
  readonly isInCluster?: boolean;
  /** What it is to carry at most. Default: no limit. */
  readonly capacity?: CapacityLimits;
  /** What this aggregator is called among those that a stream came through: hexadecimal digits. Default: made up, for this life. */
  readonly nodeId?: string;
}
