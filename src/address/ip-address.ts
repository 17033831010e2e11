import { isIP } from 'node:net';

/** An IP address, in bytes: 4 for IPv4, 16 for IPv6. One that is IPv4 in IPv6's clothes (`::ffff:a.b.c.d`) is IPv4. */
export interface Address {
  readonly family: 4 | 6;
  readonly bytes: readonly number[];
  /** In the shortest form, without a zone. */
  readonly text: string;
}

/** An address as Node writes it, with or without a zone (`fe80::1%eth0`); undefined for anything else. */
export function parseAddress(text: string): Address | undefined {
  const bare = text.split('%', 1)[0] ?? '';
  if (isIP(bare) === 4) return ipv4(bare.split('.').map(Number));
  if (isIP(bare) !== 6) return undefined;
  // The URL parser gives the shortest form, where IPv4 at the end is hexadecimal too.
  const shortest = new URL(`http://[${bare}]/`).hostname.slice(1, -1);
  const bytes = expand(shortest);
  return startsWith(bytes, mappedPrefix) ? ipv4(bytes.slice(12)) : { family: 6, bytes, text: shortest };
}

/** The IPv4 addresses that an IPv6 address leads to, by a translator, a relay or a tunnel; empty for most. */
export function embeddedIpv4(address: Address): readonly Address[] {
  const { family, bytes } = address;
  if (family === 4) return [];
  const at = (offset: number): Address => ipv4(bytes.slice(offset, offset + 4));
  // RFC 4291, 2.5.5.1 (deprecated): what the kernel does with it is its own affair. `::` and `::1` are none of these.
  if (startsWith(bytes, zeros(12)) && bytes.slice(12, 15).some((byte) => byte !== 0)) return [at(12)];
  if (startsWith(bytes, [...zeros(8), 0xff, 0xff, 0x00, 0x00])) return [at(12)]; // SIIT, RFC 2765
  // RFC 6052 and RFC 8215: NAT64. Within the local-use prefix a site chooses where the IPv4 address stands; the eighth
  // byte of the address is left out of it.
  if (startsWith(bytes, [0x00, 0x64, 0xff, 0x9b, ...zeros(8)])) return [at(12)];
  if (startsWith(bytes, [0x00, 0x64, 0xff, 0x9b, 0x00, 0x01])) {
    const places = [
      [6, 7, 9, 10],
      [7, 9, 10, 11],
      [9, 10, 11, 12],
      [12, 13, 14, 15],
    ];
    const found = places.map((place) => ipv4(place.map((index) => bytes[index] ?? 0)));
    // Where it does not stand there are zeros mostly.
    return found.filter((each) => each.bytes[0] !== 0);
  }
  if (startsWith(bytes, [0x20, 0x02])) return [at(2)]; // 6to4, RFC 3056
  if (startsWith(bytes, [0x20, 0x01, 0x00, 0x00])) {
    return [at(4), ipv4(bytes.slice(12).map((byte) => byte ^ 0xff))]; // Teredo, RFC 4380: the server, and the client
  }
  // ISATAP, RFC 5214.
  if ((bytes[8] === 0x00 || bytes[8] === 0x02) && bytes[9] === 0 && bytes[10] === 0x5e && bytes[11] === 0xfe) {
    return [at(12)];
  }
  return [];
}

const mappedPrefix = [...zeros(10), 0xff, 0xff];

function zeros(count: number): number[] {
  return Array.from({ length: count }, () => 0);
}

function ipv4(bytes: readonly number[]): Address {
  return { family: 4, bytes, text: bytes.join('.') };
}

function startsWith(bytes: readonly number[], prefix: readonly number[]): boolean {
  return prefix.every((byte, index) => bytes[index] === byte);
}

/** @param text the shortest form, in hexadecimal only */
function expand(text: string): number[] {
  const [head = '', tail] = text.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const groups = [...left, ...Array.from({ length: 8 - left.length - right.length }, () => '0'), ...right];
  return groups.flatMap((group) => {
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
}
