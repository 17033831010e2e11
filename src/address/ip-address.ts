import { isIP } from 'node:net';

/** An IP address in bytes: 4 for IPv4, 16 for IPv6. An IPv4-mapped address (`::ffff:a.b.c.d`) is IPv4. */
export interface Address {
  readonly family: 4 | 6;
  readonly bytes: readonly number[];
  /** In the shortest form, without a zone. */
  readonly text: string;
}

/** Parses an address as Node.js writes it, with or without a zone (`fe80::1%eth0`); undefined for other text. */
export function parseAddress(text: string): Address | undefined {
  const bare = text.split('%', 1)[0] ?? '';
  if (isIP(bare) === 4) return ipv4(bare.split('.').map(Number));
  if (isIP(bare) !== 6) return undefined;
  // The URL parser gives the shortest form, with a final IPv4 part in hexadecimal as well.
  const shortest = new URL(`http://[${bare}]/`).hostname.slice(1, -1);
  const bytes = expand(shortest);
  return startsWith(bytes, mappedPrefix) ? ipv4(bytes.slice(12)) : { family: 6, bytes, text: shortest };
}

/** The IPv4 addresses that an IPv6 address leads to through a translator, a relay or a tunnel; mostly none. */
export function embeddedIpv4(address: Address): readonly Address[] {
  const { family, bytes } = address;
  if (family === 4) return [];
  const at = (offset: number): Address => ipv4(bytes.slice(offset, offset + 4));
  // RFC 4291, 2.5.5.1 (deprecated): the kernel decides what it does with it. `::` and `::1` do not belong to this
  // range.
  if (startsWith(bytes, zeros(12)) && bytes.slice(12, 15).some((byte) => byte !== 0)) return [at(12)];
  if (startsWith(bytes, [...zeros(8), 0xff, 0xff, 0x00, 0x00])) return [at(12)]; // SIIT, RFC 2765
  // RFC 6052 and RFC 8215: NAT64. Within the local-use prefix, a site chooses the position of the IPv4 address; the
  // eighth byte is not part of it.
  if (startsWith(bytes, [0x00, 0x64, 0xff, 0x9b, ...zeros(8)])) return [at(12)];
  if (startsWith(bytes, [0x00, 0x64, 0xff, 0x9b, 0x00, 0x01])) {
    const places = [
      [6, 7, 9, 10],
      [7, 9, 10, 11],
      [9, 10, 11, 12],
      [12, 13, 14, 15],
    ];
    const found = places.map((place) => ipv4(place.map((index) => bytes[index] ?? 0)));
    // The other bytes are mostly zero.
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
