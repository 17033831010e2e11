import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { amf, oddCommand, oddMessage } from './odd-bytes.js';
import { type Amf, ChunkParser, decodeAmf } from './rtmp-bytes.js';

const until = async (condition: () => boolean, what: string, timeoutMs: number): Promise<void> => {
  const endMs = performance.now() + timeoutMs;
  while (!condition()) {
    if (performance.now() > endMs) throw new Error(`it took too long: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
};

/** A sender on a real socket that says whatever it is given, and hears what it is told. */
export class OddSender {
  readonly answers: Amf[][] = [];
  isClosed = false;
  readonly #socket: Socket;
  readonly #parser = new ChunkParser();
  #handshake: Buffer | null = Buffer.alloc(0);

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('error', () => {});
    socket.on('close', () => {
      this.isClosed = true;
    });
    socket.on('data', (data) => this.#read(data));
  }

  /** Resolves behind the handshake. */
  static async open(port: number, { tls = false } = {}): Promise<OddSender> {
    const at = { port, host: '127.0.0.1' };
    const sender = new OddSender(tls ? connectTls({ ...at, rejectUnauthorized: false }) : connect(at));
    sender.#socket.write(Buffer.concat([Buffer.from([3]), Buffer.alloc(8), Buffer.alloc(1528, 0x33)]));
    await until(() => sender.#handshake === null || sender.isClosed, 'the handshake', 30_000);
    return sender;
  }

  send(...parts: readonly Buffer[]): void {
    this.#socket.write(Buffer.concat(parts));
  }

  close(): void {
    this.#socket.destroy();
  }

  /** `connect` with these properties, answered. */
  async connect(properties: Readonly<Record<string, string>>): Promise<void> {
    const named = Object.entries(properties).map(([name, value]) => [name, amf.string(value)] as const);
    this.send(oddCommand(0, amf.string('connect'), amf.number(1), amf.object(named)));
    await this.hears((name, id) => (name === '_result' || name === '_error') && id === 1, 'connect');
  }

  /** createStream and publish, one behind the other's answer. Resolves to the code of the answer. */
  async publish(name: string): Promise<string> {
    this.send(oddCommand(0, amf.string('createStream'), amf.number(2), amf.null()));
    await this.hears((command, id) => command === '_result' && id === 2, 'createStream');
    this.send(oddCommand(1, amf.string('publish'), amf.number(3), amf.null(), amf.string(name), amf.string('live')));
    await this.hears((command) => command === 'onStatus', 'publish');
    return this.codes().at(-1) ?? '';
  }

  /** The codes of what it was told. */
  codes(): string[] {
    return this.#infos().map(({ code }) => String(code));
  }

  /** The descriptions of what it was told. */
  descriptions(): string[] {
    return this.#infos().map(({ description }) => String(description));
  }

  async hears(isIt: (name: Amf | undefined, id: Amf | undefined) => boolean, what: string): Promise<void> {
    await until(() => this.answers.some(([name, id]) => isIt(name, id)) || this.isClosed, what, 30_000);
  }

  #infos(): { code?: Amf; description?: Amf }[] {
    return this.answers.flatMap(([, , , info]) =>
      typeof info === 'object' && info !== null && !Array.isArray(info) ? [info] : [],
    );
  }

  #read(data: Buffer): void {
    let rest = data;
    if (this.#handshake !== null) {
      this.#handshake = Buffer.concat([this.#handshake, data]);
      if (this.#handshake.length < 3073) return;
      this.#socket.write(this.#handshake.subarray(1, 1537));
      rest = this.#handshake.subarray(3073);
      this.#handshake = null;
    }
    for (const { type, payload } of this.#parser.feed(rest)) if (type === 20) this.answers.push(decodeAmf(payload));
  }
}

/** A picture of H.264: a sequence header, a key frame, or another one. The bytes behind the length are what is compared. */
export const picture = {
  header: Buffer.from('1700000000 01640020ffe1000467640020ac01000468ee3cb0'.replaceAll(' ', ''), 'hex'),
  frame: (number: number, isKey: boolean): Buffer => {
    const unit = Buffer.alloc(64, isKey ? 0x65 : 0x41);
    unit.writeUInt32BE(number, 1);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(unit.length);
    return Buffer.concat([Buffer.from([isKey ? 0x17 : 0x27, 1, 0, 0, 0]), length, unit]);
  },
};

/** A video message as bytes. */
export function videoMessage(streamId: number, timeMs: number, payload: Buffer): Buffer {
  return oddMessage({ type: 9, csid: 6, streamId, timeMs, payload });
}
