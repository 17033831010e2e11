import type { LocatedNetwork } from '../address/location-table.js';

/** The settings that control needs; the program's `Settings` has them all. */
export interface ControlSettings {
  /** The address that listeners are bound to. */
  readonly host: string;
  /** The port that RTMP is really taken on: never 0. */
  readonly rtmpPort: number;
  /** Of the listener with TLS; undefined: there is none. */
  readonly rtmpsPort?: number;
  /** Of the listener for SRT; undefined: there is none. */
  readonly srtPort?: number;
  /** Host name or address under which cameras reach this node; undefined: found out, see `advertisedHost`. */
  readonly advertiseHost?: string | undefined;
  readonly location?: string | undefined;
  /** Which networks are where; undefined: nobody said it. */
  readonly locationNetworks?: readonly LocatedNetwork[] | undefined;
  readonly resourceId: string;
  readonly maxCameras: number;
  readonly maxPushesPerCamera: number;
  readonly maxEngines: number;
  /** What the history of live cameras may take in memory; 0: there is none; undefined: 64 MB. */
  readonly historyMaxBytes?: number | undefined;
  /** When a camera is in trouble; what is undefined has its default. */
  readonly cameraSilentMs?: number;
  readonly cameraNoVideoMs?: number;
  readonly cameraNoAudioMs?: number;
  readonly cameraStillMs?: number;
  readonly cameraLowFrameRatePercent?: number;
  readonly cameraKeyFrameGapMs?: number;
  readonly cameraTimestampJumps?: number;
  readonly cameraDriftPercent?: number;
  readonly cameraAudioVideoMs?: number;
  readonly cameraMinKbps?: number;
  readonly cameraFlaps?: number;
  readonly cameraFlapWindowMs?: number;
  /** Who may publish and play; undefined: everybody who knows a name. */
  readonly media?: {
    readonly publishAuth: 'name' | 'key';
    readonly playAuth: 'off' | 'token' | 'local';
    /** The back end that is asked about viewers over RTMP. */
    readonly onPlay?: string;
    readonly maxBitrateKbps?: number;
  };
}
