import { connect, type Socket } from 'node:net';
import { encodeCommand } from '../../../src/rtmp/command.js';
import { encodeMessage } from '../../../src/wire/chunk-writer.js';
import { ClientHandshake } from '../../../src/wire/handshake.js';
import { MessageType } from '../../../src/wire/message.js';
import { until } from '../../push/targets.js';

/** A client that says what it is told to, byte by byte, and keeps what it hears. */
export class RawClient {
  readonly #socket: Socket;
  readonly #pieces: string[] = [];
  isClosed = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('error', () => {});
    socket.on('close', () => {
      this.isClosed = true;
    });
  }

  /** Connects to an application and makes stream 1. */
  static async open(port: number, app: string, host = '127.0.0.1'): Promise<RawClient> {
    const client = new RawClient(connect(port, host));
    const handshake = new ClientHandshake();
    client.#socket.write(handshake.start());
    let isDone = false;
    client.#socket.on('data', (data) => {
      if (isDone) {
        client.#pieces.push(data.toString('latin1'));
        return;
      }
      const { reply, done, rest } = handshake.receive(data);
      if (reply !== null) client.#socket.write(reply);
      isDone = done;
      client.#pieces.push(rest.toString('latin1'));
    });
    await until(() => isDone || client.isClosed, 20_000, 'the handshake');
    const shown = host.includes(':') ? `[${host}]` : host;
    client.#command(0, 'connect', 1, { app, tcUrl: `rtmp://${shown}:${port}/${app}`, flashVer: 'RAW/1' });
    client.#command(0, 'createStream', 2, null);
    await until(() => client.#heard.includes('_result') || client.isClosed, 20_000, 'the answer to connect');
    return client;
  }

  /** Asks to play, and returns what it hears up to the answer. */
  static async play(port: number, app: string, name: string, host?: string): Promise<string> {
    const client = await RawClient.open(port, app, host);
    client.#command(1, 'play', 3, null, name);
    await until(() => client.#heard.includes('NetStream.Play.') || client.isClosed, 20_000, 'the answer to play');
    client.close();
    return client.#heard;
  }

  get #heard(): string {
    return this.#pieces.join('');
  }

  publishCommand(name: string): Buffer {
    return message(1, encodeCommand('publish', 3, null, name, 'live'));
  }

  createStream(): Buffer {
    return message(0, encodeCommand('createStream', 4, null));
  }

  playCommand(streamId: number, name: string): Buffer {
    return message(streamId, encodeCommand('play', 5, null, name));
  }

  send(data: Buffer): void {
    this.#socket.write(data);
  }

  close(): void {
    this.#socket.destroy();
  }

  #command(streamId: number, ...[name, ...values]: Parameters<typeof encodeCommand>): void {
    this.send(message(streamId, encodeCommand(name, ...values)));
  }
}

function message(streamId: number, payload: Buffer): Buffer {
  return encodeMessage(3, MessageType.CommandAmf0, 0, streamId, payload, 128);
}
