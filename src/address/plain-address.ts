import { isIP } from 'node:net';

/** An IPv4 address that comes mapped into IPv6 (`::ffff:192.0.2.1`) as what it is; others as they are, without a zone. */
export function plainAddress(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  return mapped ?? address.split('%', 1)[0] ?? address;
}

/** True for an address that only this machine itself can connect from. */
export function isLoopbackAddress(address: string): boolean {
  const plain = plainAddress(address);
  return plain === '::1' || (isIP(plain) === 4 && plain.startsWith('127.'));
}

/** The far end of a connection, for people: `192.0.2.1:1935`, `[2001:db8::1]:1935`. */
export function endpointText(address: string, port: number | undefined): string {
  const plain = plainAddress(address);
  return `${plain.includes(':') ? `[${plain}]` : plain}:${port ?? 0}`;
}

/**
 * What limits for an address are counted by: IPv4 addresses each (those that come mapped into IPv6 too), IPv6 addresses
 * by their network of 64 bits, which is what one subscriber has to choose from.
 */
export function addressKey(address: string): string {
  const plain = plainAddress(address);
  if (!plain.includes(':')) return plain;
  const [head = '', tail] = plain.toLowerCase().split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = Array.from({ length: Math.max(0, 8 - before.length - after.length) }, () => '0');
  const groups = tail === undefined ? before : [...before, ...zeros, ...after];
  return `${groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':')}::/64`;
}
