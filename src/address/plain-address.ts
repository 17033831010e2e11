import { isIP } from 'node:net';

/** Turns an IPv4-mapped address (`::ffff:192.0.2.1`) into IPv4, and removes a zone. */
export function plainAddress(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  return mapped ?? address.split('%', 1)[0] ?? address;
}

/** True for a loopback address. */
export function isLoopbackAddress(address: string): boolean {
  const plain = plainAddress(address);
  return plain === '::1' || (isIP(plain) === 4 && plain.startsWith('127.'));
}

/** The remote end of a connection for display: `192.0.2.1:1935`, `[2001:db8::1]:1935`. */
export function endpointText(address: string, port: number | undefined): string {
  const plain = plainAddress(address);
  return `${plain.includes(':') ? `[${plain}]` : plain}:${port ?? 0}`;
}

/**
 * The key by which limits per address count: an IPv4 address (also if mapped into IPv6), or the /64 of an IPv6 address,
 * since one subscriber can use all addresses of a /64.
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
