import { once } from 'node:events';
import { createServer } from 'node:http';
import { Socket } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { ConnectionShares } from '../../src/api/connection-shares.js';
import { Listener } from '../../src/api/listener.js';
import { silentLogger } from '../../src/log/log.js';

const made: Socket[] = [];
afterEach(() => {
  for (const socket of made.splice(0)) socket.destroy();
});

/** A connection as a server announces it, from an address that this machine does not have. */
function from(remoteAddress: string): Socket {
  const socket = new Socket();
  Object.defineProperty(socket, 'remoteAddress', { value: remoteAddress });
  made.push(socket);
  return socket;
}

it('the listener keeps places for other addresses, and for this machine', () => {
  const server = new Listener({}, silentLogger).create(() => {});
  const accepted = (count: number, address: string): number => {
    const sockets = Array.from({ length: count }, () => from(address));
    for (const socket of sockets) server.emit('connection', socket);
    return sockets.filter(({ destroyed }) => !destroyed).length;
  };
  expect(server.maxConnections).toBe(1000);
  expect(accepted(600, '192.0.2.1')).toBe(500);
  expect(accepted(600, '192.0.2.2')).toBe(400);
  expect(accepted(1, '192.0.2.3')).toBe(0);
  expect(accepted(100, '127.0.0.1')).toBe(100);
});

it('counts a network of IPv6 and mapped IPv4 as one, and gives back what is over', async () => {
  const shares = new ConnectionShares({ fromElsewhere: 10, fromOne: 2 });
  const isIn = (socket: Socket): boolean => {
    shares.admit(socket);
    return !socket.destroyed;
  };
  const first = from('2001:db8::1');
  expect([first, from('2001:db8::2'), from('2001:db8::3')].map(isIn)).toEqual([true, true, false]);
  expect(['192.0.2.1', '::ffff:192.0.2.1', '192.0.2.1'].map((address) => isIn(from(address)))).toEqual([
    true,
    true,
    false,
  ]);
  first.destroy();
  await once(first, 'close');
  expect([from('2001:db8::4'), from('2001:db8::5')].map(isIn)).toEqual([true, false]);
});

it('counts a connection once, however often it is announced', () => {
  const shares = new ConnectionShares({ fromElsewhere: 2, fromOne: 2 });
  const server = createServer().on('connection', shares.admit);
  const socket = from('192.0.2.1');
  for (let i = 0; i < 5; i++) server.emit('connection', socket);
  const next = from('192.0.2.1');
  server.emit('connection', next);
  expect([socket.destroyed, next.destroyed]).toEqual([false, false]);
});
