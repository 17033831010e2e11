import { createSocket, type Socket } from 'node:dgram';
import type { Scope } from './scope.js';

/** A way for datagrams to a port of this machine that loses some of them, both ways, and delays them a little. */
export async function lossyWay(
  scope: Pick<Scope, 'defer'>,
  toPort: number,
  { loss, delayMs }: { readonly loss: number; readonly delayMs: number },
): Promise<{ readonly port: number; readonly lost: () => number }> {
  const front = createSocket('udp4');
  const backs = new Map<string, Socket>();
  let lost = 0;
  const pass = (send: () => void): void => {
    if (Math.random() < loss) lost++;
    else setTimeout(send, delayMs);
  };
  front.on('message', (packet, { address, port }) => {
    const key = `${address} ${port}`;
    let back = backs.get(key);
    if (back === undefined) {
      back = createSocket('udp4');
      back.on('message', (answer) => pass(() => front.send(answer, port, address, () => {})));
      back.bind(0, '127.0.0.1');
      backs.set(key, back);
    }
    const to = back;
    pass(() => to.send(packet, toPort, '127.0.0.1', () => {}));
  });
  await new Promise<void>((resolve) => front.bind(0, '127.0.0.1', resolve));
  scope.defer(() => {
    // Those that are on their way are sent to nobody.
    setTimeout(() => {
      for (const socket of [front, ...backs.values()]) socket.close();
    }, delayMs + 50).unref();
  });
  return { port: front.address().port, lost: () => lost };
}
