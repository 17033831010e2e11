import { timingSafeEqual } from 'node:crypto';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { type CodedError, codeOf, messageOf } from '../../errors.js';
import { progressOf } from '../../fairness/socket-progress.js';
import type { MediaSocket } from '../../net/media-socket.js';
import { type FarEnd, handedOnSocket } from '../../net/node-socket.js';
import { setHeardTimeout } from '../../process/standstill.js';
import type { Beginning } from '../../rtmp/beginning.js';
import type { FlvPlayback, FlvSink, ViewedTracks } from '../backend.js';

/** Who asks, and for what: one line of JSON, the first thing on a connection. Answered by one line of JSON; then comes FLV. */
export interface ViewingRequest {
  readonly secret: string;
  readonly camera: string;
  readonly remote: string;
  readonly tracks: ViewedTracks;
}

/** A worker that holds a connection with TLS of one of our cameras. What comes behind the line is RTMP, both ways. */
export interface HandingOnRequest {
  readonly secret: string;
  readonly far: FarEnd;
  /** Milliseconds since it was accepted. */
  readonly ageMs: number;
  /** What it said before it named its camera has been answered. */
  readonly isAnswered: boolean;
}

export type ViewingAnswer =
  | { readonly ok: true }
  | { readonly ok: false; readonly code: string; readonly message: string };

/** What the supervisor says when it wants what there is of a stream, and no more. */
export const lastWord = '\n';

/** Bytes of the handshake that a connection has gone through before it is handed on: C0, C1, C2. */
const handshakeBytes = 3073;

const maxLineBytes = 4096;
const lineTimeoutMs = 5000;
/** Connections that have not asked yet, or whose question is being answered. Only the supervisor has a reason to come. */
const maxStrangers = 256;

/** What the port is open for. */
export interface ViewingHost {
  openFlv(camera: string, remote: string, tracks: ViewedTracks): Promise<FlvPlayback>;
  /** Serves a connection that another worker holds. */
  adopt(socket: MediaSocket, beginning: Beginning): void;
}

/**
 * Where the supervisor fetches the streams that it shows over HTTP, and where other workers hand on connections that they
 * cannot give away: a port of 127.0.0.1 that a secret opens.
 */
export class ViewingServer {
  readonly #secret: Buffer;
  readonly #host: ViewingHost;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #strangers = 0;

  constructor(secret: string, host: ViewingHost) {
    this.#secret = Buffer.from(secret);
    this.#host = host;
    this.#server = createServer({ noDelay: true, highWaterMark: 256 * 1024 }, (socket) => this.#onSocket(socket));
  }

  /** Resolves to the port. */
  listen(): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(0, '127.0.0.1', () => resolve((this.#server.address() as AddressInfo).port));
    });
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #onSocket(socket: Socket): void {
    socket.on('error', () => {});
    if (this.#strangers >= maxStrangers) {
      socket.destroy();
      return;
    }
    this.#strangers++;
    this.#sockets.add(socket);
    let line = Buffer.alloc(0);
    let isKnown = false;
    const greeted = (): void => {
      if (isKnown) return;
      isKnown = true;
      this.#strangers--;
      clearTimeout(timer);
    };
    const timer = setHeardTimeout(() => socket.destroy(), lineTimeoutMs);
    socket.once('close', () => {
      this.#sockets.delete(socket);
      greeted();
    });
    const onData = (data: Buffer): void => {
      line = Buffer.concat([line, data]);
      const end = line.indexOf('\n');
      if (end < 0 && line.length <= maxLineBytes) return;
      socket.off('data', onData);
      const request = this.#parse(line.toString('utf8', 0, Math.max(end, 0)));
      if (request !== undefined && 'far' in request) {
        greeted();
        const bytes = line.subarray(end + 1);
        const { ageMs, isAnswered } = request;
        const beginning = { handshake: null, bytes, ageMs, bytesBefore: handshakeBytes, isAnswered };
        this.#host.adopt(handedOnSocket(socket, request.far), beginning);
        return;
      }
      void this.#answer(socket, request).finally(greeted);
    };
    socket.on('data', onData);
  }

  async #answer(socket: Socket, request: ViewingRequest | undefined): Promise<void> {
    if (request === undefined) {
      socket.destroy();
      return;
    }
    let playback: FlvPlayback | null = null;
    // Nothing more is expected but the last word.
    socket.on('data', () => void playback?.flush().then(() => end()));
    const end = (): void => {
      playback?.leave();
      socket.end();
    };
    try {
      const opened = await this.#host.openFlv(request.camera, request.remote, request.tracks);
      socket.once('close', () => opened.leave());
      socket.on('drain', () => opened.resume());
      if (socket.destroyed) opened.leave();
      else {
        socket.write(`${JSON.stringify({ ok: true } satisfies ViewingAnswer)}\n`);
        playback = opened;
        opened.begin(new SocketFlvSink(socket));
      }
    } catch (error) {
      const answer = { ok: false, code: codeOf(error), message: messageOf(error) } satisfies ViewingAnswer;
      socket.end(`${JSON.stringify(answer)}\n`);
    }
  }

  #parse(line: string): ViewingRequest | HandingOnRequest | undefined {
    try {
      const asked = JSON.parse(line) as Partial<ViewingRequest & HandingOnRequest>;
      const { secret, camera, remote, tracks = 'all', far, ageMs, isAnswered } = asked;
      const given = Buffer.from(String(secret));
      if (given.length !== this.#secret.length || !timingSafeEqual(given, this.#secret)) return undefined;
      if (far !== undefined) return { secret: '', far, ageMs: Number(ageMs), isAnswered: isAnswered === true };
      return { secret: '', camera: String(camera), remote: String(remote), tracks };
    } catch {
      return undefined;
    }
  }
}

class SocketFlvSink implements FlvSink {
  readonly #socket: Socket;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  get pendingBytes(): number {
    return this.#socket.writableLength;
  }

  get progress(): number {
    return progressOf(this.#socket);
  }

  write(data: Buffer): boolean {
    return this.#socket.write(data);
  }

  end(reason: CodedError | null): void {
    if (reason === null) this.#socket.end();
    else this.#socket.resetAndDestroy();
  }
}
