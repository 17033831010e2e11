import { timingSafeEqual } from 'node:crypto';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { type CodedError, codeOf, messageOf } from '../../errors.js';
import { progressOf } from '../../socket-progress.js';
import type { FlvPlayback, FlvSink } from '../backend.js';

/** Who asks, and for what: one line of JSON, the first thing on a connection. Answered by one line of JSON; then comes FLV. */
export interface ViewingRequest {
  readonly secret: string;
  readonly camera: string;
  readonly remote: string;
}

export type ViewingAnswer =
  | { readonly ok: true }
  | { readonly ok: false; readonly code: string; readonly message: string };

const maxLineBytes = 4096;
const lineTimeoutMs = 5000;
/** Connections that have not asked yet, or whose question is being answered. Only the supervisor has a reason to come. */
const maxStrangers = 256;

/** Where the supervisor fetches the streams that it shows over HTTP: a port of 127.0.0.1 that a secret opens. */
export class ViewingServer {
  readonly #secret: Buffer;
  readonly #open: (camera: string, remote: string) => Promise<FlvPlayback>;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #strangers = 0;

  constructor(secret: string, open: (camera: string, remote: string) => Promise<FlvPlayback>) {
    this.#secret = Buffer.from(secret);
    this.#open = open;
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
    const timer = setTimeout(() => socket.destroy(), lineTimeoutMs);
    socket.once('close', () => {
      this.#sockets.delete(socket);
      greeted();
    });
    const onData = (data: Buffer): void => {
      line = Buffer.concat([line, data]);
      const end = line.indexOf('\n');
      if (end < 0 && line.length <= maxLineBytes) return;
      socket.off('data', onData);
      socket.resume(); // nothing more is expected
      void this.#answer(socket, line.toString('utf8', 0, Math.max(end, 0))).finally(greeted);
    };
    socket.on('data', onData);
  }

  async #answer(socket: Socket, line: string): Promise<void> {
    const request = this.#parse(line);
    if (request === undefined) {
      socket.destroy();
      return;
    }
    try {
      const playback = await this.#open(request.camera, request.remote);
      socket.once('close', () => playback.leave());
      socket.on('drain', () => playback.resume());
      if (socket.destroyed) playback.leave();
      else {
        socket.write(`${JSON.stringify({ ok: true } satisfies ViewingAnswer)}\n`);
        playback.begin(new SocketFlvSink(socket));
      }
    } catch (error) {
      const answer = { ok: false, code: codeOf(error), message: messageOf(error) } satisfies ViewingAnswer;
      socket.end(`${JSON.stringify(answer)}\n`);
    }
  }

  #parse(line: string): ViewingRequest | undefined {
    try {
      const { secret, camera, remote } = JSON.parse(line) as Partial<ViewingRequest>;
      const given = Buffer.from(String(secret));
      if (given.length !== this.#secret.length || !timingSafeEqual(given, this.#secret)) return undefined;
      return { secret: '', camera: String(camera), remote: String(remote) };
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
