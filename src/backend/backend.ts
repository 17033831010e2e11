import type { CodedError, ErrorCode } from '../errors.js';
import type { RecordedEvent } from '../events/flight-recorder.js';
import type { CameraEvidence } from '../health/evidence.js';
import type { DesiredCamera, DesiredPush } from './desired.js';
import type { BackendProblem } from './figure.js';
import type { CameraSnapshot } from './observed.js';
import type { PushSnapshot, TargetTest } from './observed-push.js';

export type { RecordedEvent } from '../events/flight-recorder.js';
export type { DesiredCamera, DesiredHop, DesiredIngest, DesiredPush, DesiredSource } from './desired.js';
export type { BackendProblem } from './figure.js';
export { type CameraSnapshot, unknownCamera, unseenCamera } from './observed.js';
export { type IngestSnapshot, type SourceSnapshot, unseenIngest, unseenSource } from './observed-ingest.js';
export {
  type PushSnapshot,
  type PushState,
  pushStates,
  type TargetTest,
  unknownPush,
  unseenPush,
} from './observed-push.js';

/** Makes cameras as they are declared, and judges what pushes may be declared. */
export interface CameraApplier {
  /**
   * Declares one camera; the same declaration again does nothing. Never disturbs any other camera or push.
   * @returns undefined: it is in force already; else a promise that resolves when it is, and rejects with the reason
   * when it cannot be. A later declaration of the camera stands for the earlier ones.
   * @throws what hinders it at once
   */
  setCamera(camera: DesiredCamera): void | Promise<void>;
  /** Forgets a camera: its publisher, viewers and pushes are closed. Unknown names are ignored. As `setCamera`. */
  removeCamera(name: string): void | Promise<void>;
  /** How long an answer may wait, now, for a declaration to come into force, milliseconds; 0: not at all. */
  readonly answerWaitMs: number;
  /** Why this backend could never send to this URL, or not with this sound; undefined when it can. */
  refuses(url: string, audio?: DesiredPush['audio']): CodedError | undefined;
  /** Why this backend could never fetch from this URL; undefined when it can. */
  refusesSource(url: string): CodedError | undefined;
  /** Another listener of this aggregator, besides the backend's own: pushes must not lead there. */
  addOwnListener(listener: BackendAddress): void;
}

/** What is seen of cameras, of pushes, and of the backend as a whole. */
export interface BackendView {
  /** What is seen of one camera; undefined for an unknown one. */
  camera(name: string): CameraSnapshot | undefined;
  /** What the health of a camera is judged by; null while it is not live, or where nothing is known now. Cheap. */
  evidence(name: string): CameraEvidence | null;
  /** What is seen of one push; undefined for an unknown one. */
  push(camera: string, id: string): PushSnapshot | undefined;
  totals(): BackendTotals;
  /** The last few hundred events of a camera, or of one of its pushes, oldest first; undefined for unknown ones. */
  events(
    camera: string,
    pushId?: string,
  ): readonly RecordedEvent[] | undefined | Promise<readonly RecordedEvent[] | undefined>;
  /** What is wrong with the backend as a whole: an edit that it refuses, a program that does not start. */
  problems(): readonly BackendProblem[];
  /** What there is to tell of this backend only, by name. */
  facts(): Readonly<Record<string, string | number | boolean | null>>;
  /** The processes that do the work, where they are others than this one. */
  workers(): readonly WorkerFacts[];
  /** True when a real RTMP handshake with the own listener succeeds within the deadline. */
  probe(deadlineMs: number): Promise<boolean>;
}

/** Tells of what happens. */
export interface BackendWatching {
  /** Has this observer told of every change from now on; the one before is told no more. */
  observe(observer: BackendObserver): void;
}

/** Tries targets. */
export interface TargetTrial {
  /** Has a waiting push try at once. False when it does not wait; undefined for an unknown one. */
  retry(camera: string, pushId: string): boolean | undefined | Promise<boolean | undefined>;
  /** Goes the way to a target up to the permission to publish, and sends no media. @throws InputError INVALID_ADDRESS */
  testTarget(url: string): Promise<TargetTest>;
}

/**
 * What a viewer gets of a camera of several tracks: one of each kind, by its id or the default one, without any wrapping; or
 * all, as they came.
 */
export type ViewedTracks = { readonly video: number | 'default'; readonly audio: number | 'default' } | 'all';

/** Shows cameras to viewers that do not speak RTMP. */
export interface CameraViewing {
  /**
   * Lets in a viewer who gets FLV. A promise, since the stream may have to be fetched from where it is.
   * @param remote `host:port` of the viewer
   * @param tracks what it gets of a camera of several
   * @throws CodedError PLAY_NOT_FOUND, CAMERA_NOT_LIVE, LIMIT_REACHED
   */
  openFlv(camera: string, remote: string, tracks: ViewedTracks): Promise<FlvPlayback>;
  /**
   * The newest key frame; null when there is none that can be shown.
   * @param knownTag the tag of the picture that the caller has
   */
  picture(camera: string, knownTag: string | undefined): Promise<StillPicture | null>;
}

/** Feeds cameras with the test pattern, without a connection. One for each camera at most; who calls sees to it. */
export interface TestPatternFeeding {
  /**
   * Has the pattern feed a camera for so long at most. It gives way to any other source.
   * @param onEnded called once when it is over, whatever the reason; never where it did not start
   * @throws (rejects) CodedError PUBLISH_NOT_REGISTERED, PUBLISH_ALREADY_LIVE, FLV_INVALID, WORKER_DOWN
   */
  start(camera: string, durationMs: number, onEnded: () => void): Promise<void>;
  /** Resolves when the pattern of this camera is over; at once when there is none. */
  stop(camera: string): Promise<void>;
}

/** Serves cameras with several ingests. */
export interface IngestSwitching {
  /**
   * Has a camera's stream go on with another of its ingests, at a key frame. Resolves when that is live.
   * @param ingest undefined: the one that would follow if the live one failed
   * @throws (rejects) CodedError INGEST_NOT_FOUND, INGEST_NOT_READY, WORKER_DOWN
   */
  switchIngest(camera: string, ingest: string | undefined): Promise<void>;
}

/** Who else may have a camera: in a cluster, another node. */
export interface CameraClaimer {
  /**
   * Asked when a publisher comes, or a source is to be dialled.
   * @param isPatient it can wait until no other node has the camera, and is tried again
   * @returns undefined: it may be had here; else a promise that resolves when it may
   * @throws (rejects) CodedError PUBLISH_ALREADY_LIVE
   */
  claim(camera: string, isPatient?: boolean): Promise<void> | undefined;
  /** The camera is not live here any more. */
  release(camera: string): void;
}

/** Gives cameras away to where their publishers are now. */
export interface CameraYielding {
  /** Has publishers let in only where the claimer agrees. */
  askBeforePublish(claimer: CameraClaimer): void;
  /** No other node has the camera any more: what waits for that tries soon. */
  freed(camera: string): void;
  /** True while something feeds the camera, or is waited for. */
  isLive(camera: string): boolean;
  /** True when what feeds it has sent nothing for `publish-takeover`. */
  isSilent(camera: string): boolean;
  /** Asks what feeds it to connect anew (Enhanced RTMP v2). False: it does not know how. */
  askToReconnect(camera: string): boolean;
  /** Ends what feeds it; those who get it are told. */
  letGo(camera: string, reason: CodedError): void;
  /** The cameras that are live. */
  live(): Iterable<string>;
}

/** Where a stream comes from that another node sends. */
export interface RelayOrigin {
  /** The node that sends it. */
  readonly from: string;
  /** The node that has the camera's publisher. */
  readonly owner: string;
  /** Of the owner's claim: what a later owner has is larger. */
  readonly epoch: number;
  /** Nodes that have no room for the camera, by the owner's word: they are passed over. */
  readonly avoid?: readonly string[] | undefined;
  /** Copies of it that this node is to send on. */
  readonly copies?: number | undefined;
}

/** How the copy for another node does. `refused`: that node does not want this camera; `full`: it has no room for it. */
export type HopState = 'idle' | 'connecting' | 'active' | 'stalled' | 'failed' | 'refused' | 'full' | 'gone';

/** What a backend needs to send cameras from node to node, and tells of it. It is quick, and throws only what it says. */
export interface RelayPartner {
  /** Whether what another node sends is to be taken. @throws CodedError RELAY_REFUSED */
  admit(camera: string, ticket: string): RelayOrigin;
  /** The ticket with which one connection to another node is let in there. */
  ticketFor(camera: string, to: string): string;
  /** True when another node is known to have the camera's stream. */
  mayFetch(camera: string): boolean;
  /** A source of this node's own feeds the camera now, or none does any more. */
  ownChanged(camera: string, isOwn: boolean): void;
  /** Another node's stream feeds the camera now, or (null) none does any more. */
  relayChanged(camera: string, origin: RelayOrigin | null): void;
  hopChanged(camera: string, to: string, state: HopState): void;
  /** Somebody wants to see the camera here, or (after a while) nobody does any more. */
  viewersChanged(camera: string, isWanted: boolean): void;
}

/** Takes cameras from other nodes, and sends them there. */
export interface CameraRelaying {
  /** Has streams go from node to node; without it none are taken. */
  relayWith(partner: RelayPartner): void;
  /** True when another node answers there within the deadline. @param url as that of a hop */
  probeNode(url: string, deadlineMs: number): Promise<boolean>;
  /** For how long what another node sends of a camera has been silent, milliseconds; 0 where none sends it. */
  silentRelayMs(camera: string): number;
  /** Ends what another node sends of a camera; what is this node's own stays. */
  endRelay(camera: string, reason: CodedError): void;
}

/** How much a node may carry, and how much it does. Null: no limit. */
export interface CapacityFacts {
  /** Bits per second to targets, other nodes and viewers. */
  readonly outBps: number | null;
  /** Cameras that are live at once. */
  readonly cameras: number | null;
  /** What everything takes that has room, bits per second: also what is about to begin. */
  readonly committedBps: number;
  /** It takes no new cameras. */
  readonly isFull: boolean;
}

/** Refuses what there is no room for. */
export interface CapacityKeeping {
  readonly facts: CapacityFacts;
  /** True while it takes no new cameras. */
  readonly isFull: boolean;
  /**
   * @param elsewhere the endpoints of other nodes that would take a camera, for who is refused
   * @param onFull told when `isFull` changes
   */
  advise(elsewhere: (camera: string) => readonly string[], onFull: () => void): void;
}

/** What moves the bytes. It converges to the desired cameras and tells what it observes. */
export interface MediaBackend extends CameraApplier, BackendView, BackendWatching, TargetTrial {
  readonly kind: 'native' | 'nginx';
  /** Null: it shows no camera over HTTP. */
  readonly viewing: CameraViewing | null;
  /** Null: it takes media over the network only. */
  readonly testPatterns: TestPatternFeeding | null;
  /** Null: a camera has one publisher. */
  readonly switching: IngestSwitching | null;
  /** Null: it keeps its cameras. */
  readonly yielding: CameraYielding | null;
  /** Null: its cameras stay at this node. */
  readonly relaying: CameraRelaying | null;
  /** Null: it has no limit but the machine's. */
  readonly capacity: CapacityKeeping | null;
  /** Opens the RTMP listener. @throws CodedError ADDRESS_IN_USE */
  start(): Promise<BackendAddress>;
  /** Reads again what it has read from files and can take while it runs: the certificates to trust. */
  readAgain?(): void;
  /** It will be stopped soon: publishers and viewers who know how are asked to connect anew, and served on until they are gone. */
  askToReconnect?(): void;
  /** Closes everything in order: publishers are told, pushes drained and unpublished, within the deadline. */
  stop(deadlineMs: number): Promise<void>;
}

/** Told of what happens, as it happens. It is called in the middle of the backend's work: it is quick and throws nothing. */
export interface BackendObserver {
  /** A publisher was let in. `returned`: in the same stream, within the grace or by taking over. */
  cameraLive(
    camera: string,
    facts: { readonly publisher: string | null; readonly encoder: string | null; readonly returned: boolean },
  ): void;
  /** The publisher is gone. @param reason in words; null when the backend cannot tell */
  cameraStopped(camera: string, reason: string | null): void;
  /** Something is wrong with a live camera, or is not any more. */
  cameraCondition?(camera: string, condition: BackendProblem, isRaised: boolean): void;
  /** Somebody who wanted to publish was refused. */
  publisherRefused?(refusal: PublisherRefusal): void;
  /** A push is in another state than before. */
  pushState(camera: string, push: PushSnapshot): void;
  /** Something happened to an ingest of a camera that has several. */
  ingestChanged?(camera: string, change: IngestChange): void;
  /** A viewer came or went. */
  viewersChanged?(camera: string): void;
}

/** What happens to the ingests of a camera. */
export type IngestChange =
  | { readonly type: 'connected'; readonly ingest: string; readonly publisher: string; readonly encoder: string | null }
  | { readonly type: 'disconnected'; readonly ingest: string; readonly reason: string }
  /** The stream goes on with another one. */
  | { readonly type: 'switched'; readonly from: string; readonly to: string; readonly reason: string };

/** Somebody who wanted to publish, or did not come as far as to say so, and was refused. */
export interface PublisherRefusal {
  /** Its IP address. */
  readonly address: string;
  /** What it wanted to publish as, without what may be a key. A stranger's words. */
  readonly name: string;
  /** The camera that the name means, registered or not; null: none. */
  readonly camera: string | null;
  /** `connect`: it was refused before it said whether it publishes or plays. */
  readonly asked: 'connect' | 'publish';
  readonly code: ErrorCode;
  readonly message: string;
  /** What it calls itself; empty when it does not. */
  readonly encoder: string;
}

/** A process that moves media, and what it takes; null: it does not run, or has not said yet. */
export interface WorkerFacts {
  /** 1 for the first. */
  readonly number: number;
  readonly pid: number | null;
  readonly up: boolean;
  /** Cameras that have their home there. */
  readonly cameras: number;
  /** How often it was started again. */
  readonly restarts: number;
  /** Seconds of CPU time since its last start. */
  readonly cpuSeconds: number | null;
  readonly residentBytes: number | null;
  /** How late its event loop was in about the last second, at worst, milliseconds. */
  readonly loopDelayMs: number | null;
  /** How its connections without TLS are read and written: `uring`, `direct`, `plain`. */
  readonly socketMode: string | null;
  /** Why not in a better way, or not as it is set; null also where it is. */
  readonly socketModeWhy: string | null;
}

/** Where a viewer's FLV goes: an answer over HTTP, a WebSocket. */
export interface FlvSink {
  /** Takes bytes, which must not change while they are pending. False: taken, but no more until `resume`. */
  write(data: Buffer): boolean;
  /** Bytes that `write` took and that the kernel has not. */
  readonly pendingBytes: number;
  /** Another number whenever the far side has taken something. */
  readonly progress: number;
  /** There is no more, since the camera stopped (null) or for this reason. Called once at most. */
  end(reason: CodedError | null): void;
}

/** A viewer that was let in. It counts as one until it leaves, or until its sink is ended. */
export interface FlvPlayback {
  /** Begins to write: FLV from its file header on, starting with the current group of pictures. Call once. */
  begin(sink: FlvSink): void;
  /** The sink has room again. */
  resume(): void;
  /**
   * Hands to the sink what waits, also that which only waits to be written together with what comes next; to be called before
   * its owner ends it. Resolves when the sink has that, after half a second at the latest.
   */
  flush(): Promise<void>;
  /** The viewer is gone; its sink is not used any more. May be called at any time, and again. */
  leave(): void;
}

/** The newest key frame of a camera. */
export interface StillPicture {
  /** Another one for every key frame. */
  readonly tag: string;
  /** When it came: ISO 8601, UTC. */
  readonly at: string;
  /** An MP4 file of this one picture; null when the caller has it already. */
  readonly mp4: Buffer | null;
}

export interface BackendAddress {
  readonly host: string;
  readonly port: number;
  /** Of the listener with TLS, where there is one. */
  readonly rtmpsPort?: number;
  /** Of the listener for SRT (UDP), where there is one. */
  readonly srtPort?: number;
  /** Of the statistics of nginx, which listens on its ports some time later. */
  readonly statPort?: number;
}

export interface BackendTotals {
  /** Bits per second from publishers, averaged over about 10 s. */
  readonly bitrateInBps: number;
  /** Bits per second to targets and viewers, averaged over about 10 s. */
  readonly bitrateOutBps: number;
  /** Live cameras. */
  readonly liveCameras: number;
  readonly viewers: number;
  readonly connections: number;
}
