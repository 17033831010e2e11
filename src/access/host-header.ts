import { BlockList, isIP } from 'node:net';

/** What a Host header names, without the port. */
export type NamedHost =
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'address'; readonly address: string };

/**
 * The host of a Host header (RFC 9110 section 7.2), lower case, a name without the dot at its end. Undefined for what is
 * neither a name nor an address as browsers and resolvers write them: user info, zones (`fe80::1%eth0`), and addresses
 * spelt as decimal, octal or hexadecimal numbers, which one reader takes for a name and another for an address.
 */
export function hostOf(text: string): NamedHost | undefined {
  const match = /^(?:\[([0-9a-f:.]{2,45})\]|([a-z0-9._-]{1,254}))(?::(\d{1,5}))?$/i.exec(text);
  if (match === null || Number(match[3] ?? 0) > 65_535) return undefined;
  const [, inBrackets, plain] = match;
  if (inBrackets !== undefined) {
    return isIP(inBrackets) === 6 ? { kind: 'address', address: inBrackets.toLowerCase() } : undefined;
  }
  const name = (plain ?? '').replace(/\.$/, '').toLowerCase();
  if (isIP(name) === 4) return plain === name ? { kind: 'address', address: name } : undefined;
  if (name === '' || name.split('.').some((label) => label === '')) return undefined;
  // What ends in a number is an address or a mistake (WHATWG URL, "ends in a number").
  return /(?:^|\.)(?:[0-9]+|0x[0-9a-f]*)$/.test(name) ? undefined : { kind: 'name', name };
}

/**
 * True for addresses that lead to the caller's own machine, and are known for it: `127.0.0.0/8` and `::1`. Not for
 * `0.0.0.0`, `::` and `::ffff:127.0.0.1`, which lead there as well, but are strangers to browsers, so that they leave
 * out of a request who makes it.
 */
export function isLoopbackHost(address: string): boolean {
  if (isIP(address) === 4) return address.startsWith('127.');
  return address === '::1' || /^(?:0{1,4}:){7}0{0,3}1$/.test(address);
}

const notCallable4 = new BlockList();
notCallable4.addSubnet('0.0.0.0', 8);
notCallable4.addSubnet('224.0.0.0', 3);
// A list of their own: Node.js holds IPv4 addresses against the rules for IPv4 inside IPv6 too.
const notCallable6 = new BlockList();
for (const network of ['::', '::ffff:0:0', '::ffff:0:0:0', '64:ff9b::']) notCallable6.addSubnet(network, 96, 'ipv6');
notCallable6.addSubnet('2002::', 16, 'ipv6');
notCallable6.addSubnet('ff00::', 8, 'ipv6');

/** True for an address by which a machine is called: not `0.0.0.0`, no group, and no IPv4 address inside an IPv6 one. */
export function isCallableAddress(address: string): boolean {
  return isIP(address) === 6 ? !notCallable6.check(address, 'ipv6') : !notCallable4.check(address, 'ipv4');
}
