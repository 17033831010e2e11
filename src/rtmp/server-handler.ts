import type { ConnectInfo } from './connect.js';
import type { IgnoredKind } from './ignored.js';

/** What a client wants to publish or play; answered by the session's accept and refuse calls. */
export interface StreamRequest {
  /** The application as the client wrote it, its query included. */
  readonly app: string;
  /** The stream name as the client wrote it, its query included; empty when it gave none. */
  readonly streamName: string;
  /** The URL that it says it connected to; it may say none. */
  readonly tcUrl?: string;
  /** The message stream that it is asked on. */
  readonly streamId: number;
}

/** What the owner of a connection decides and gets. Each request is answered exactly once, at once or later. */
export interface ServerSessionHandler {
  /** A command came; told before anything is done about it. The name is as the client wrote it. */
  onCommand?(name: string): void;
  /** Answer with `acceptConnect` or `refuseConnect`. */
  onConnect(info: ConnectInfo): void;
  /** Answer with `acceptPublish` or `refusePublish`. */
  onPublish(request: StreamRequest): void;
  /** Answer with `acceptPlay` or `refusePlay`. */
  onPlay(request: StreamRequest): void;
  /** Audio, video or data of an accepted publish. `payload` is valid only until the call returns. */
  onMedia(streamId: number, type: number, timestampMs: number, payload: Buffer): void;
  /** An accepted publish ended by the client's own word. */
  onUnpublish(streamId: number): void;
  /** An accepted play ended by the client's own word. */
  onStop(streamId: number): void;
  /** A player wants a pause, or its end. */
  onPause(streamId: number, paused: boolean): void;
  /** Something came that cannot be used, and ends nothing. @param detail in words; nothing of it is secret */
  onIgnored?(kind: IgnoredKind, detail: string): void;
}
