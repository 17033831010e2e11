import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import type { FlvSink } from '../../backend/backend.js';
import type { CodedError } from '../../errors.js';
import { progressOf } from '../../fairness/socket-progress.js';

/** Close codes of WebSocket (RFC 6455, section 7.4.1). */
export const CloseCode = { Normal: 1000, GoingAway: 1001, Policy: 1008, Failed: 1011 } as const;

/** A viewer's FLV as binary messages, of any size: what is new in each turn of the event loop. */
export class WebSocketFlvSink implements FlvSink {
  readonly #webSocket: WebSocket;
  readonly #socket: Socket;

  constructor(webSocket: WebSocket, socket: Socket) {
    this.#webSocket = webSocket;
    this.#socket = socket;
  }

  get pendingBytes(): number {
    return this.#webSocket.bufferedAmount;
  }

  get progress(): number {
    return progressOf(this.#socket);
  }

  write(data: Buffer): boolean {
    this.#webSocket.send(data, { binary: true, compress: false });
    return !this.#socket.writableNeedDrain;
  }

  /** A client that is ended may take no more bytes, not even the close frame. */
  end(reason: CodedError | null): void {
    if (reason === null) this.#webSocket.close(CloseCode.Normal, 'the camera stopped');
    else this.#webSocket.terminate();
  }
}
