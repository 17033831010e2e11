import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** How a target behaves that stands in the way of a healthy one. */
export type Sickness =
  | 'closes-on-connect'
  | 'never-answers'
  /** Passes on what comes, at so many bytes a second. */
  | { readonly bytesPerSecond: number }
  /** Passes on what comes, and closes each connection after so long. */
  | { readonly closesAfterMs: number };

/** A target between the aggregator and a healthy target, with a sickness of its own. */
export class SickProxy {
  readonly #server;
  readonly #sockets = new Set<Socket>();
  readonly #timers = new Set<NodeJS.Timeout>();

  constructor(sickness: Sickness, targetPort: number) {
    this.#server = createServer((socket) => this.#serve(socket, sickness, targetPort));
  }

  async start(): Promise<number> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return (this.#server.address() as AddressInfo).port;
  }

  close(): void {
    for (const timer of this.#timers) clearInterval(timer);
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }

  #serve(socket: Socket, sickness: Sickness, targetPort: number): void {
    this.#keep(socket);
    if (sickness === 'never-answers') {
      socket.resume();
      return;
    }
    if (sickness === 'closes-on-connect') {
      // Behind the handshake (C0 to C2), as a server that does not know the application.
      let bytes = 0;
      socket.on('data', (data) => {
        bytes += data.length;
        if (bytes > 3073) socket.destroy();
      });
      const far = connect(targetPort, '127.0.0.1');
      this.#keep(far);
      far.on('data', (data) => socket.write(data));
      socket.on('data', (data) => {
        if (bytes <= 3073) far.write(data);
      });
      return;
    }
    const far = connect(targetPort, '127.0.0.1');
    this.#keep(far);
    far.on('data', (data) => socket.write(data));
    far.on('close', () => socket.destroy());
    socket.on('close', () => far.destroy());
    if ('closesAfterMs' in sickness) {
      socket.on('data', (data) => far.write(data));
      this.#timers.add(setTimeout(() => socket.destroy(), sickness.closesAfterMs));
      return;
    }
    const everyMs = 100;
    socket.pause();
    this.#timers.add(
      setInterval(() => {
        const data: Buffer | null = socket.read(Math.min(socket.readableLength, sickness.bytesPerSecond / 10));
        if (data !== null) far.write(data);
        else socket.read(0);
      }, everyMs),
    );
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => this.#sockets.delete(socket));
  }
}
