import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { plainAddress } from '../address/plain-address.js';
import { CodedError } from '../errors.js';
import type { Logger } from '../log/log.js';
import type { StreamHost } from '../rtmp/stream-host.js';
import { Cookies } from './cookies.js';
import { inductionAnswer, readHandshake } from './handshake.js';
import { headerBytes, maxDatagramBytes } from './packet.js';
import { type SrtCaller, SrtDoor, type SrtSettings } from './srt-door.js';

/** The period of acknowledgements. */
const tickMs = 10;
/** First handshakes that are answered in a second; each is as long as its answer. Encoders repeat theirs. */
const maxAnswersPerSecond = 2000;
/** What the kernel may keep while this process is busy; as much of it as the system allows (net.core.rmem_max). */
const receiveBufferBytes = 8 << 20;
const secondMs = 1000;

/** The listener for encoders that publish by SRT: one UDP port for all of them. */
export class SrtListener {
  readonly #door: SrtDoor;
  readonly #log: Logger;
  readonly #cookies = new Cookies();
  #socket: Socket | null = null;
  #isSix = false;
  #timer: NodeJS.Timeout | null = null;
  #answers = 0;
  #secondAtMs = 0;
  /** Datagrams that were nobody's. */
  #strays = 0;
  #shed = 0;

  constructor(options: {
    readonly settings: SrtSettings;
    readonly passphrase: string | undefined;
    readonly host: StreamHost;
    readonly log: Logger;
  }) {
    this.#log = options.log;
    this.#door = new SrtDoor({ ...options, send: (packet, to) => this.#send(packet, to) });
  }

  get connections(): number {
    return this.#door.connections.size;
  }

  /** Datagrams of no connection, and first handshakes that were too many. */
  get figures(): { readonly strays: number; readonly shed: number } {
    return { strays: this.#strays, shed: this.#shed };
  }

  /** @throws CodedError ADDRESS_IN_USE, INVALID_ADDRESS */
  listen(host: string, port: number): Promise<number> {
    // Addresses are given as such: nothing is looked up, and what is sent goes out at once.
    const lookup = (name: string, _options: unknown, done: (error: null, address: string, family: number) => void) =>
      done(null, name, isIPv6(name) ? 6 : 4);
    const socket = createSocket({ type: isIPv6(host) ? 'udp6' : 'udp4', lookup: lookup as never });
    this.#socket = socket;
    this.#isSix = isIPv6(host);
    return new Promise((resolve, reject) => {
      const failed = (error: NodeJS.ErrnoException): void => reject(listenError(error, host, port));
      socket.once('error', failed);
      socket.bind({ address: host, port, exclusive: true }, () => {
        socket.off('error', failed);
        socket.on('error', (error) => this.#log.warn('the SRT listener has an error', { reason: error.message }));
        socket.on('message', (packet, from) => this.#take(packet, from));
        setBuffers(socket);
        this.#timer = setInterval(() => this.#tick(), tickMs);
        resolve(socket.address().port);
      });
    });
  }

  /** Ends all connections, each with a word to its encoder, and the listener. */
  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    this.#door.close();
    const socket = this.#socket;
    this.#socket = null;
    // What was said just now is on its way.
    if (socket !== null) setImmediate(() => socket.close());
  }

  #take(packet: Buffer, from: RemoteInfo): void {
    // Nobody can be answered at port 0, which a packet may name as its source; Node.js throws for it.
    if (packet.length < headerBytes || packet.length > maxDatagramBytes || from.port === 0) {
      this.#strays++;
      return;
    }
    const id = packet.readUInt32BE(12);
    if (id === 0) {
      this.#greet(packet, from);
      return;
    }
    const connection = this.#door.connections.get(id);
    // An id alone is nothing: who sends from elsewhere is somebody else.
    if (
      connection === undefined ||
      connection.port !== from.port ||
      connection.address !== plainAddress(from.address)
    ) {
      this.#strays++;
      return;
    }
    connection.session.take(packet, performance.now());
  }

  #greet(packet: Buffer, from: RemoteInfo): void {
    const handshake = readHandshake(packet);
    if (handshake === null) {
      this.#strays++;
      return;
    }
    const nowMs = performance.now();
    const caller = { address: plainAddress(from.address), port: from.port };
    if (handshake.kind === 'conclusion') {
      if (this.#cookies.isRight(handshake.cookie, caller.address, caller.port, nowMs))
        this.#door.ask(handshake, caller, nowMs);
      else this.#strays++;
      return;
    }
    if (this.#answers >= maxAnswersPerSecond) {
      this.#shed++;
      return;
    }
    this.#answers++;
    this.#send(inductionAnswer(handshake, this.#cookies.make(caller.address, caller.port, nowMs)), caller);
  }

  #tick(): void {
    const nowMs = performance.now();
    const isSecond = nowMs - this.#secondAtMs >= secondMs;
    if (isSecond) {
      this.#secondAtMs = nowMs;
      this.#answers = 0;
    }
    for (const { session, publisher } of this.#door.connections.values()) {
      session.tick(nowMs);
      publisher.flush();
      if (isSecond) publisher.tick(nowMs);
    }
  }

  #send(packet: Buffer, { address, port }: SrtCaller): void {
    const socket = this.#socket;
    if (socket === null) return;
    const isMapped = this.#isSix && !isIPv6(address);
    // What cannot be sent is lost, as anywhere on the way.
    socket.send(packet, port, isMapped ? `::ffff:${address}` : address, noError);
  }
}

function noError(): void {}

function setBuffers(socket: Socket): void {
  try {
    socket.setRecvBufferSize(receiveBufferBytes);
  } catch {
    // It stays as the system has it.
  }
}

function listenError(error: NodeJS.ErrnoException, host: string, port: number): CodedError {
  const field = '--srt-port';
  if (error.code === 'EADDRINUSE') {
    const text = `UDP port ${port} on ${host} is in use by another program`;
    return new CodedError('ADDRESS_IN_USE', text, { cause: error, field });
  }
  const why = error.code === 'EACCES' ? 'it needs more rights than this process has' : (error.code ?? error.message);
  return new CodedError('INVALID_ADDRESS', `cannot listen on UDP ${host}:${port}: ${why}`, { cause: error, field });
}
