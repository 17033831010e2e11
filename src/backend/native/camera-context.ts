import type { SelectorSettings } from '../../ingest/selector-options.js';
import type { SlateClips } from '../../ingest/slate-clips.js';
import type { Logger } from '../../log/log.js';
import type { Dialer } from '../../net/dialer.js';
import type { PullSettings } from '../../pull/pull.js';
import type { TargetWatch } from '../../push/target-watch.js';
import type { FlushScheduler } from '../../relay/flush-scheduler.js';
import { LiveStream } from '../../relay/live-stream.js';
import type { SlabPool } from '../../relay/slab-pool.js';
import type { OpenTranscoder, Transcoder } from '../../relay/transcoded-sound.js';
import type { NetSettings } from '../../rtmp/settings.js';
import { AudioTranscoder } from '../../transcode/audio-transcoder.js';
import type { BackendObserver } from '../backend.js';
import type { PullContext } from './camera-pulls.js';
import type { ViewerLimits } from './camera-viewers.js';
import type { LastPictures } from './last-pictures.js';
import type { NodeCapacity } from './node-capacity.js';
import type { NativeRelaying } from './relaying.js';

/** The message stream id that nearly every server gives to the first stream; the shared log is made for it. */
const usualStreamId = 1;

export interface CameraSettings extends NetSettings, SelectorSettings, ViewerLimits, PullSettings {
  readonly gopMaxBytes: number;
  readonly flushWindowMs: number;
  readonly audioWindowMs: number;
  readonly mediaMaxBytes: number;
}

/** What all cameras of one backend share. */
export interface CameraContext {
  readonly settings: CameraSettings;
  readonly log: Logger;
  readonly scheduler: FlushScheduler;
  readonly watch: TargetWatch;
  readonly dialer: Dialer;
  /** How other nodes are connected to. */
  readonly hops: { readonly settings: NetSettings; readonly watch: TargetWatch; readonly dialer: Dialer };
  readonly relaying: NativeRelaying;
  /** Whether there is room for more. */
  readonly capacity: NodeCapacity;
  readonly pool: SlabPool;
  readonly slates: SlateClips;
  readonly pulls: PullContext;
  /** As `CameraClaimer`. */
  readonly claim: (camera: string, isPatient: boolean) => Promise<void> | undefined;
  /** Whether all streams together may keep so many bytes more; asked before a GOP is copied. */
  readonly mayKeep: (bytes: number) => boolean;
  /** This aggregator among those that a stream came through: hexadecimal digits, of this process's life. */
  readonly nodeId: string;
  /** Keeps the last picture of a stream that is over. */
  readonly lastPictures?: LastPictures;
  /** Told when a camera's stream is over. */
  readonly onOver?: (camera: string) => void;
  /** Whoever wants to be told of what happens. */
  readonly observer?: () => BackendObserver | null;
}

/** A stream of a camera, which goes on until it is over. */
export function newStream(
  { settings, scheduler, pool, mayKeep }: CameraContext,
  openTranscoder: OpenTranscoder,
): LiveStream {
  const format = { chunkBytes: settings.outChunkBytes, streamId: usualStreamId, publishing: true };
  const { gopMaxBytes } = settings;
  return new LiveStream({ format, gopMaxBytes, scheduler, pool, mayKeep, openTranscoder }, performance.now());
}

/** Makes AAC of a camera's sound, for those who get it so. */
export function openTranscoder(
  { settings, transcoders }: PullContext,
  report: { readonly log: Logger; transcoding(problem: string | null): void },
  onFrame: (timestampMs: number, payload: Buffer) => void,
): Transcoder {
  const { ffmpeg } = settings;
  const onProblem = (problem: string | null): void => report.transcoding(problem);
  const lineUp = (begin: (done: () => void) => void): (() => void) => transcoders.enter(begin);
  return new AudioTranscoder({ ffmpeg, log: report.log, onFrame, onProblem, lineUp });
}
