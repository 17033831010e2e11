import { FlightRecorder, type RecordedEvent } from '../../events/flight-recorder.js';
import type { SourceIngest } from '../../ingest/source-ingest.js';
import type { MessageKind } from '../../ingest/source-ingest-options.js';
import type { Logger } from '../../log/log.js';
import type { BackendObserver, BackendProblem, IngestChange } from '../backend.js';
import type { CameraContext } from './camera-context.js';
import {
  CameraConditions,
  describeMissing,
  describeTranscoder,
  transcoderWords,
  withoutKeyFrameWords,
} from './conditions.js';

const noConditions: readonly BackendProblem[] = [];

/**
 * Tells what happens to one camera: its recorder, the log, and the observer of the backend, each what is of use there. It
 * also has the conditions of the camera, which are told when they change.
 */
export class CameraReport {
  readonly log: Logger;
  readonly recorder: FlightRecorder;
  readonly #camera: string;
  readonly #context: Pick<CameraContext, 'observer' | 'settings'>;
  #madeConditions: CameraConditions | null = null;

  constructor(camera: string, context: Pick<CameraContext, 'log' | 'observer' | 'settings'>) {
    this.#camera = camera;
    this.#context = context;
    this.log = context.log.child({ camera });
    this.recorder = new FlightRecorder({ log: this.log });
  }

  /** The last few hundred events, oldest first. */
  get events(): RecordedEvent[] {
    return this.recorder.events();
  }

  /** What is wrong with what the camera sends. */
  get conditions(): readonly BackendProblem[] {
    return this.#madeConditions?.list ?? noConditions;
  }

  get #conditions(): CameraConditions {
    this.#madeConditions ??= new CameraConditions((condition, isRaised) => this.condition(condition, isRaised));
    return this.#madeConditions;
  }

  get observer(): BackendObserver | null | undefined {
    return this.#context.observer?.();
  }

  condition(condition: BackendProblem, isRaised: boolean): void {
    this.recorder.note('condition', `${condition.code} ${isRaised ? 'raised' : 'cleared'}`);
    this.observer?.cameraCondition?.(this.#camera, condition, isRaised);
  }

  /** A source feeds it. @param returned the stream goes on */
  live({ remote, encoder, kind }: SourceIngest['source'], returned: boolean): void {
    this.log.info(returned ? 'camera is live again' : 'camera is live', { remote, encoder });
    this.recorder.note('publish', `${remote} ${encoder}${returned ? ', goes on' : ''}`);
    // What happens to a camera is told by the node that has it, once.
    if (kind === 'relay') this.observer?.cameraStopped(this.#camera, `${remote} has the camera`);
    else this.observer?.cameraLive(this.#camera, { publisher: remote, encoder: encoder || null, returned });
  }

  stopped(reason: string, bytesIn: number): void {
    this.#madeConditions?.end();
    this.recorder.note('unpublish', reason);
    this.observer?.cameraStopped(this.#camera, reason);
    this.log.info('camera is no longer live', { reason, bytesIn });
  }

  /** A source came in by one of several ingests, or is gone. @param reason why it is gone; null: it came */
  ingest({ name: ingest, source: { remote, encoder } }: SourceIngest, reason: string | null): void {
    this.recorder.note('ingest', `${ingest}: ${reason === null ? `${remote} ${encoder}` : `gone: ${reason}`}`);
    this.#ingestChanged(
      reason === null
        ? { type: 'connected', ingest, publisher: remote, encoder: encoder || null }
        : { type: 'disconnected', ingest, reason },
    );
  }

  /** The stream goes on with another ingest. */
  switched(change: { readonly from: string; readonly to: string; readonly reason: string }): void {
    this.recorder.note('switch', `from ${change.from} to ${change.to}: ${change.reason}`);
    this.#ingestChanged({ type: 'switched', ...change });
  }

  #ingestChanged(change: IngestChange): void {
    this.observer?.ingestChanged?.(this.#camera, change);
  }

  slateFailed(reason: string): void {
    this.recorder.note('slate', reason);
    this.log.warn('the slate cannot be shown', { code: 'FLV_INVALID', reason });
  }

  /** The first message of its kind is not passed on, since no strict reader takes it. */
  unreadable({ source }: SourceIngest, kind: MessageKind, bytes: number): void {
    const what = `a message of ${kind} with ${bytes} bytes that no strict reader takes is not passed on`;
    this.recorder.note('unreadable', what);
    this.log.warn(`${what}, nor are others like it`, { remote: source.remote });
  }

  /** Key frames have been missed for too long, or are not missed any more. */
  keyFrames(missing: boolean): void {
    const { withoutKeyFrames } = this.#context.settings;
    if (!missing) this.#madeConditions?.clear('NO_KEY_FRAME');
    else if (this.#conditions.raise('NO_KEY_FRAME', describeMissing(withoutKeyFrames), withoutKeyFrameWords)) {
      this.log.warn('the camera sends no key frames', { code: 'NO_KEY_FRAME', withoutKeyFrames });
    }
  }

  /** What hinders the transcoder of its sound, in words; null: nothing any more. */
  transcoding(problem: string | null): void {
    if (problem === null) this.#madeConditions?.clear('TRANSCODER_DOWN');
    else this.#conditions.raise('TRANSCODER_DOWN', describeTranscoder(problem), transcoderWords);
  }

  /** A viewer came or went. */
  viewer(event: 'play' | 'stop', remote: string): void {
    this.recorder.note(event, remote);
    this.observer?.viewersChanged?.(this.#camera);
  }
}
