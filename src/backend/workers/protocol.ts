import type { ErrorCode } from '../../errors.js';
import type { CameraEvidence } from '../../health/evidence.js';
import type { LinesWanted } from '../../log/levels.js';
import type { LogFields } from '../../log/log.js';
import type { SocketWay } from '../../net/socket-way.js';
import type {
  BackendAddress,
  BackendObserver,
  BackendProblem,
  BackendTotals,
  CameraSnapshot,
  DesiredCamera,
  IngestChange,
  PublisherRefusal,
  StillPicture,
} from '../backend.js';
import type { NativeMediaSettings } from '../native/native-settings.js';

/**
 * What the supervisor and its workers say to each other, as JSON over Node's channel between parent and child. Both
 * are of the same build, and trust each other.
 */

/** What a worker runs with. */
export interface WorkerSettings {
  /** 1 for the first. */
  readonly number: number;
  /** The same in all workers: they are one aggregator. */
  readonly nodeId: string;
  readonly media: NativeMediaSettings & { readonly shutdownTimeoutMs: number };
  /** For connections with TLS; null: there are none. */
  readonly certificate: { readonly certFile: string; readonly keyFile: string } | null;
  /** Opens the port at which the worker gives away streams that are to be shown. */
  readonly viewSecret: string;
  /** What publish keys and play tokens are made from: 64 hex digits. */
  readonly streamSecret?: string;
  /** Other lines need not be made. */
  readonly lines: LinesWanted;
}

/** To a worker. */
export type Order =
  | { readonly type: 'begin'; readonly settings: WorkerSettings }
  /** Answered by `applied` with the same number. */
  | { readonly type: 'set'; readonly sequence: number; readonly camera: DesiredCamera }
  | { readonly type: 'remove'; readonly sequence: number; readonly name: string }
  /** Pushes must not lead there. */
  | { readonly type: 'listener'; readonly address: BackendAddress }
  /** What its streams may keep in all, bytes. */
  | { readonly type: 'budget'; readonly bytes: number }
  /** Other lines than before are to be logged. */
  | { readonly type: 'lines'; readonly wanted: LinesWanted }
  /** Read again what can be. */
  | { readonly type: 'readAgain' }
  | Connection
  /** To `where`: this worker serves it (or refuses it). */
  | { readonly type: 'stay'; readonly id: number }
  /** To `where`: another worker does; answered by `left`. */
  | { readonly type: 'leave'; readonly id: number }
  /** To `where` of a connection with TLS, which only this process can read: hand it on to another worker, at this port. */
  | { readonly type: 'handOn'; readonly id: number; readonly viewPort: number }
  | { readonly type: 'call'; readonly id: number; readonly call: Call }
  /** Peers who know how are asked to connect anew. */
  | { readonly type: 'askToReconnect' }
  /** Ends everything in order. */
  | { readonly type: 'stop'; readonly deadlineMs: number };

/** A connection that was accepted; its socket comes with it. */
export interface Connection {
  readonly type: 'connection';
  readonly id: number;
  /** Milliseconds since it was accepted. */
  readonly ageMs: number;
  /** Its camera is known to be served here, and this is what came behind its handshake, in base64; null: a stranger. */
  readonly beginning: string | null;
  /** What it said before it named its camera has been answered. */
  readonly isAnswered: boolean;
  /** It begins with TLS. */
  readonly isSecure: boolean;
}

/** Questions about what only the worker of a camera knows. */
export type Call =
  | { readonly name: 'events'; readonly camera: string; readonly push: string | null }
  | { readonly name: 'retry'; readonly camera: string; readonly push: string }
  | { readonly name: 'picture'; readonly camera: string; readonly knownTag: string | null }
  | { readonly name: 'testTarget'; readonly url: string }
  /** Answered when the ingest is live. */
  | { readonly name: 'switchIngest'; readonly camera: string; readonly ingest: string | null }
  /** Answered when the pattern feeds its camera. */
  | { readonly name: 'startTestPattern'; readonly camera: string; readonly durationMs: number }
  /** Answered when it is over. */
  | { readonly name: 'stopTestPattern'; readonly camera: string };

/** A picture on its way from a worker; the file in base64. */
export type SentPicture = Omit<StillPicture, 'mp4'> & { readonly mp4: string | null };

/** What a worker takes of the machine. */
export interface WorkerLoad {
  /** Seconds of CPU time in its life. */
  readonly cpuSeconds: number;
  readonly residentBytes: number;
  /** How late its event loop was in the last second, at worst, milliseconds. */
  readonly loopDelayMs: number;
  /** What its streams keep for newcomers and slow outlets. */
  readonly keptBytes: number;
  /** Bytes of messages that are not whole yet. */
  readonly unfinishedBytes: number;
  /** Connections that were ended since they sent useless messages on and on, in its life. */
  readonly floodsEnded: number;
  /** Connections that it refused since few descriptors were left, in its life. */
  readonly openFilesRefused: number;
  /** How its connections without TLS are read and written. */
  readonly socketWay: SocketWay;
  /** What it did by io_uring, by name; null where it does not use it. */
  readonly ring: Readonly<Record<string, number>> | null;
  /** What is wrong with it as a whole. */
  readonly problems: readonly BackendProblem[];
}

/** From a worker; several of them are one message on the channel. */
export type Report =
  /** It takes orders, and gives away streams at this port of 127.0.0.1. */
  | { readonly type: 'ready'; readonly viewPort: number; readonly socketWay: SocketWay }
  /** The socket of a connection arrived. */
  | { readonly type: 'taken'; readonly id: number }
  /** A connection names its camera, and waits to be told who serves it. */
  | { readonly type: 'where'; readonly id: number; readonly camera: string }
  /** A connection is served here: the supervisor need not hold it any more. */
  | { readonly type: 'served'; readonly id: number }
  /** A connection was given up here. What came behind its handshake, in base64, and whether that was answered. */
  | { readonly type: 'left'; readonly id: number; readonly beginning: string; readonly isAnswered: boolean }
  | { readonly type: 'closed'; readonly id: number }
  /** An order was carried out, or failed. `camera`: what is seen of it now; null: nothing. */
  | {
      readonly type: 'applied';
      readonly sequence: number;
      readonly name: string;
      readonly camera: CameraSnapshot | null;
      readonly failure: { readonly code: ErrorCode; readonly message: string } | null;
    }
  | { readonly type: 'seen'; readonly camera: CameraSnapshot; readonly evidence: CameraEvidence | null }
  | { readonly type: 'live'; readonly camera: string; readonly facts: Parameters<BackendObserver['cameraLive']>[1] }
  | { readonly type: 'stopped'; readonly camera: string; readonly reason: string | null }
  | {
      readonly type: 'condition';
      readonly camera: string;
      readonly condition: BackendProblem;
      readonly isRaised: boolean;
    }
  | { readonly type: 'ingest'; readonly camera: string; readonly change: IngestChange }
  | {
      readonly type: 'push';
      readonly camera: string;
      readonly push: Parameters<BackendObserver['pushState']>[1];
    }
  | { readonly type: 'refused'; readonly refusal: PublisherRefusal }
  /** The test pattern of a camera is over. */
  | { readonly type: 'patternEnded'; readonly camera: string }
  | { readonly type: 'load'; readonly totals: BackendTotals; readonly load: WorkerLoad }
  | { readonly type: 'answer'; readonly id: number; readonly value: unknown }
  | { readonly type: 'failure'; readonly id: number; readonly code: string; readonly message: string }
  | {
      readonly type: 'log';
      readonly level: 'debug' | 'info' | 'warn' | 'error';
      readonly message: string;
      readonly fields: LogFields;
    }
  /** Everything ended in order; the process exits now. */
  | { readonly type: 'done' };
