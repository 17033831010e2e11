import { CodedError } from '../../errors.js';
import type { IngestSelector } from '../../ingest/ingest-selector.js';
import type { Playback, Viewer } from '../../rtmp/stream-host.js';
import type { FlvPlayback, StillPicture, ViewedTracks } from '../backend.js';
import type { CameraContext } from './camera-context.js';
import type { CameraReport } from './camera-report.js';
import type { CameraRoom } from './camera-room.js';
import type { CameraViewers } from './camera-viewers.js';
import { FlvViewer } from './flv-viewer.js';
import { pictureOf } from './last-pictures.js';

export interface CameraViewingOptions {
  readonly camera: string;
  readonly context: CameraContext;
  readonly selector: IngestSelector;
  readonly viewers: CameraViewers;
  readonly room: CameraRoom;
  readonly report: CameraReport;
  /** A viewer came or went. */
  readonly onDemand: () => void;
}

/** Lets viewers of one camera in, over RTMP and HTTP, and shows its still pictures. */
export class CameraViewing {
  readonly #options: CameraViewingOptions;

  constructor(options: CameraViewingOptions) {
    this.#options = options;
  }

  /** Lets a viewer in, whether the camera is live or not. @throws CodedError LIMIT_REACHED, NODE_FULL */
  play(viewer: Viewer): Playback {
    const { camera, context, selector, viewers, report, onDemand } = this.#options;
    viewers.add(viewer);
    const giveBack = this.#roomFor(viewer);
    onDemand();
    report.viewer('play', viewer.remote);
    context.relaying.viewersChanged(camera, true);
    return {
      stream: selector.stream,
      end: () => {
        if (!viewers.remove(viewer)) return;
        giveBack();
        onDemand();
        report.viewer('stop', viewer.remote);
        if (viewers.count === 0) context.relaying.viewersChanged(camera, false);
      },
    };
  }

  #roomFor(viewer: Viewer): () => void {
    const { room, viewers } = this.#options;
    try {
      return room.takeForViewer();
    } catch (error) {
      viewers.remove(viewer);
      throw error;
    }
  }

  /** Lets in a viewer who gets FLV, while there is a stream. @throws CodedError CAMERA_NOT_LIVE, LIMIT_REACHED, NODE_FULL */
  openFlv(remote: string, tracks: ViewedTracks): FlvPlayback {
    const { camera, context, selector } = this.#options;
    if (selector.stream === null) throw new CodedError('CAMERA_NOT_LIVE', `camera ${camera} is not live`);
    const { queueMaxBytes, queueMaxAgeMs, stallTimeoutMs } = context.settings;
    const viewer = new FlvViewer({ remote, limits: { queueMaxBytes, queueMaxAgeMs }, stallTimeoutMs, tracks });
    viewer.playback = this.play(viewer);
    return viewer;
  }

  /** The newest key frame, or the last one if the stream is over; null when there is none that can be shown. */
  picture(knownTag: string | undefined): StillPicture | null {
    const { camera, context, selector } = this.#options;
    const { stream, latest } = selector;
    // Until its first key frame, a stream has no picture of its own.
    const own = stream === null ? null : pictureOf(stream, latest, knownTag);
    return own ?? context.lastPictures?.shown(camera, knownTag) ?? null;
  }
}
