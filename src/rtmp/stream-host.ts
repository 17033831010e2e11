import type { StreamPlace } from '../address/stream-place.js';
import type { CodedError, ErrorCode } from '../errors.js';
import type { LiveStream } from '../relay/live-stream.js';
import type { ConnectInfo, StreamRequest } from './server-session.js';

/** What the connection of an encoder that publishes by SRT is like, by the names of `backend/observed-ingest.ts`. */
export interface SrtFacts {
  readonly rttMs: number | null;
  readonly latencyMs: number;
  readonly isEncrypted: boolean;
  readonly packets: number;
  readonly packetsLost: number;
  readonly packetsDropped: number;
}

/** A publisher as its camera sees it. */
export interface Publisher {
  /** Tells its connection from all others of this process. */
  readonly id: number;
  /** `host:port`. */
  readonly remote: string;
  /** What it calls itself. */
  readonly flashVer: string;
  /** The aggregators that its stream came through, in its own words. */
  readonly via: string;
  /** What its connection is like; undefined: it does not come by SRT. */
  readonly srt?: SrtFacts | null;
  /** When its last frame was taken (or much of a large one came), on the monotonic clock. */
  readonly lastMediaMs: number;
  /** Messages that it sent in vain: nobody's media, and what cannot be read or followed. */
  readonly ignoredMessages: number;
  /** Asks it to reconnect, where it said that it can. False: it did not. */
  askToReconnect?(): boolean;
  /** Ends it; the reason is logged once and told to the publisher. */
  close(reason: CodedError): void;
}

/** A viewer as its camera sees it. */
export interface Viewer {
  readonly remote: string;
  /** What its share is counted by; undefined where somebody else counts it. */
  readonly share?: string;
  /** Bytes handed to the network. */
  readonly bytesOut: number;
  /** The camera is now live with this stream, or (null) no longer live. */
  setStream(stream: LiveStream | null): void;
  /** Called about once a second, where nobody else does. @param nowMs a monotonic clock */
  tick?(nowMs: number): void;
  close(reason: CodedError): void;
}

/** An accepted publish: takes what is published. What becomes of it is not the publisher's concern. */
export interface Ingest {
  /** Looks at what `write` will need: `prefetch` in `RingReceiver`. */
  prefetch?(): number;
  /**
   * Takes one message; `payload` is copied where it is kept.
   * @param type the RTMP message type: 8 audio, 9 video, 18 data
   * @param nowMs a monotonic clock, milliseconds
   * @returns false for what could not be used, or is no longer wanted
   */
  write(type: number, timestampMs: number, payload: Buffer, nowMs: number): boolean;
  /** Its times were set back, or leapt, and are moved so that they go on; the camera is told. */
  noteTimeReset?(): void;
  /** The source is gone; call once. @param reason in words, for the record */
  end(reason: string): void;
}

/** An accepted play. */
export interface Playback {
  /** What is live now; null when the camera is not. */
  readonly stream: LiveStream | null;
  /** The viewer is gone; call once. */
  end(): void;
}

/** Who asks to publish or play. */
export interface Peer {
  /** Its IP address. */
  readonly address: string;
  /** Tells this connection from others of this process. */
  readonly connectionId: number;
  readonly connect: ConnectInfo;
}

/** The permission to publish, to be used at once. @throws CodedError PUBLISH_NOT_REGISTERED, PUBLISH_ALREADY_LIVE */
export type PublishGrant = (publisher: Publisher) => Ingest;

/** The permission to play, to be used at once. @throws CodedError PLAY_NOT_FOUND, LIMIT_REACHED */
export type PlayGrant = (viewer: Viewer) => Playback;

/** Decided at once, or later. */
export type Decision<Grant> = Grant | Promise<Grant>;

/** Somebody who wanted to publish, or did not come as far as to say so, and was refused. */
export interface PublisherRefusal {
  /** Its IP address. */
  readonly address: string;
  /** What it wanted to publish as: the application, without what may be a key. A stranger's words. */
  readonly name: string;
  /** The camera that the name means, registered or not; null: none. */
  readonly camera: string | null;
  readonly asked: 'connect' | 'publish';
  readonly code: ErrorCode;
  readonly message: string;
  /** What it calls itself; empty when it does not. */
  readonly encoder: string;
}

/** Who may publish and play what: the listener asks, somebody else decides. */
export interface StreamHost {
  /** @throws CodedError PUBLISH_NOT_REGISTERED when it has an application, and there is no camera of that */
  connect(info: ConnectInfo): void;
  /** Told of each publisher that was refused, whoever refused it. */
  refused?(refusal: PublisherRefusal): void;
  /** The camera that a client means; undefined: none. */
  cameraOf?(place: StreamPlace): string | undefined;
  /**
   * Whether this peer may publish. A promise: it is decided later, and nothing more is read of the peer until then.
   * @throws CodedError (or rejects) PUBLISH_NOT_REGISTERED, PUBLISH_FORBIDDEN, RTMP_LIMIT
   */
  admitPublisher(request: StreamRequest, peer: Peer): Decision<PublishGrant>;
  /** The same for a viewer. @throws CodedError (or rejects) PLAY_NOT_FOUND, PLAY_FORBIDDEN, RTMP_LIMIT */
  admitViewer(request: StreamRequest, peer: Peer): Decision<PlayGrant>;
}
