import { connect, type Socket } from 'node:net';
import { setHeardTimeout } from '../process/standstill.js';
import { ClientHandshake } from '../wire/handshake.js';

/**
 * True when the server at this address completes a real RTMP handshake within the deadline. Never throws.
 * @param onSocket told of the socket before it connects
 */
export function probeHandshake(
  host: string,
  port: number,
  deadlineMs: number,
  onSocket?: (socket: Socket) => void,
): Promise<boolean> {
  return new Promise((resolve) => {
    const handshake = new ClientHandshake();
    const socket = connect({ host, port, noDelay: true });
    onSocket?.(socket);
    const timer = setHeardTimeout(() => finish(false), deadlineMs);
    const finish = (ok: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(ok);
    };
    socket.on('connect', () => socket.write(handshake.start()));
    socket.on('error', () => finish(false));
    socket.on('close', () => finish(false));
    socket.on('data', (data) => {
      try {
        const { reply, done } = handshake.receive(data);
        if (reply !== null) socket.write(reply);
        if (!done) return;
        // Closed in order, after C2, so that the server does not log a broken connection for a probe.
        clearTimeout(timer);
        socket.end(() => resolve(true));
        socket.setTimeout(1000, () => socket.destroy());
      } catch {
        finish(false);
      }
    });
  });
}
