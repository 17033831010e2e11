import { networkInterfaces } from 'node:os';

type Interfaces = ReturnType<typeof networkInterfaces>;

function addressesOf(interfaces: Interfaces): string[] {
  return Object.values(interfaces).flatMap((entries) => entries?.map(({ address }) => address) ?? []);
}

/**
 * The address that stands for every address of this machine: `::`, on which both families are heard (whatever
 * `net.ipv6.bindv6only` says, since Node asks for both), or `0.0.0.0` where the machine has no IPv6 at all.
 */
export function everyAddress(interfaces: Interfaces = networkInterfaces()): string {
  return addressesOf(interfaces).some((address) => address.includes(':')) ? '::' : '0.0.0.0';
}

/**
 * Where a listener is reached from the same machine: at its own address, or where it hears all, at 127.0.0.1, or at ::1
 * where there is no other.
 */
export function loopbackOf(host: string, interfaces: Interfaces = networkInterfaces()): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (host !== '::') return host;
  const addresses = addressesOf(interfaces);
  return addresses.includes('127.0.0.1') || !addresses.includes('::1') ? '127.0.0.1' : '::1';
}
