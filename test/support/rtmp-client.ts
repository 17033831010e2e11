import { connect, type Socket } from 'node:net';
import { type Amf, ChunkParser, decodeAmf, encodeChunks, encodeCommand, type RawMessage } from './rtmp-bytes.js';
import type { Scope } from './scope.js';
import { waitFor } from './wait.js';

/** A peer that says exactly what a test wants said, and remembers what it was told. */
export class RtmpClient {
  readonly socket: Socket;
  /** Everything received after the handshake. */
  readonly messages: RawMessage[] = [];
  /** Set once the other side ended the connection. */
  closedByPeer = false;
  readonly #parser = new ChunkParser();
  #handshake: Buffer | undefined = Buffer.alloc(0);

  constructor(scope: Scope, port: number) {
    this.socket = connect(port, '127.0.0.1');
    scope.defer(() => this.socket.destroy());
    this.socket.on('error', () => {
      this.closedByPeer = true;
    });
    this.socket.on('close', () => {
      this.closedByPeer = true;
    });
    this.socket.on('data', (data) => this.#receive(data));
  }

  #receive(data: Buffer): void {
    if (this.#handshake === undefined) {
      this.messages.push(...this.#parser.feed(data));
      return;
    }
    this.#handshake = Buffer.concat([this.#handshake, data]);
    if (this.#handshake.length < 3073) return;
    // C2 repeats S1.
    this.socket.write(this.#handshake.subarray(1, 1537));
    const rest = this.#handshake.subarray(3073);
    this.#handshake = undefined;
    this.messages.push(...this.#parser.feed(rest));
  }

  /** The plain handshake of the specification, 5.2. */
  async handshake(): Promise<void> {
    this.socket.write(Buffer.concat([Buffer.from([3]), Buffer.alloc(8), Buffer.alloc(1528, 0x5a)]));
    await waitFor(() => this.#handshake === undefined, { what: 'the handshake', intervalMs: 2 });
  }

  /** Values of the commands received, in order. */
  commands(): Amf[][] {
    return this.messages.filter(({ type }) => type === 20).map(({ payload }) => decodeAmf(payload));
  }

  /** Codes of the onStatus commands received, in order. */
  statusCodes(): string[] {
    return this.commands()
      .filter(([name]) => name === 'onStatus')
      .map(([, , , info]) => String((info as { code?: Amf } | null)?.code));
  }

  command(streamId: number, ...values: Amf[]): void {
    this.socket.write(encodeCommand(streamId, ...values));
  }

  media(type: number, timestampMs: number, payload: Buffer): void {
    this.socket.write(encodeChunks(type === 9 ? 6 : 4, { type, streamId: 1, timestampMs, payload }));
  }

  /** Handshake, connect, createStream, publish; resolves when the publishing was accepted. @param said more in `connect` */
  async publish(app: string, name: string, said: Record<string, Amf> = {}): Promise<void> {
    await this.#open(app, said);
    this.command(1, 'publish', 3, null, name, 'live');
    await waitFor(() => this.statusCodes().includes('NetStream.Publish.Start'), { what: 'publish' });
  }

  /** Handshake, connect, createStream, play; resolves when the playing has begun. */
  async play(app: string, name: string): Promise<void> {
    await this.#open(app);
    this.command(1, 'play', 3, null, name);
    await waitFor(() => this.statusCodes().includes('NetStream.Play.Start'), { what: 'play' });
  }

  async #open(app: string, said: Record<string, Amf> = {}): Promise<void> {
    const answered = (id: number): boolean =>
      this.commands().some(([command, transaction]) => command === '_result' && transaction === id);
    await this.handshake();
    this.command(0, 'connect', 1, { app, flashVer: 'test', tcUrl: `rtmp://127.0.0.1/${app}`, ...said });
    await waitFor(() => answered(1), { what: 'connect', intervalMs: 5 });
    this.command(0, 'createStream', 2, null);
    await waitFor(() => answered(2), { what: 'createStream', intervalMs: 5 });
  }
}
