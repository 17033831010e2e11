import { networkInterfaces } from 'node:os';

type Interfaces = ReturnType<typeof networkInterfaces>;

function addressesOf(interfaces: Interfaces): string[] {
  return Object.values(interfaces).flatMap((entries) => entries?.map(({ address }) => address) ?? []);
}

/**
 * The address that means every address of this machine: `::`, which covers IPv6 and IPv4 (whatever
 * `net.ipv6.bindv6only` is, since Node.js asks for both), or `0.0.0.0` on a machine without IPv6.
 */
export function everyAddress(interfaces: Interfaces = networkInterfaces()): string {
  return addressesOf(interfaces).some((address) => address.includes(':')) ? '::' : '0.0.0.0';
}

/**
 * The address at which the same machine reaches a listener: its own address, or if it listens on all, 127.0.0.1, or ::1
 * if there is no IPv4.
 */
export function loopbackOf(host: string, interfaces: Interfaces = networkInterfaces()): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (host !== '::') return host;
  const addresses = addressesOf(interfaces);
  return addresses.includes('127.0.0.1') || !addresses.includes('::1') ? '127.0.0.1' : '::1';
}
