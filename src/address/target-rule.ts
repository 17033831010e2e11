import { type Address, parseAddress } from './ip-address.js';

/** One entry of `push-allow` or `push-deny`. */
export interface TargetRule {
  /** As it is shown. */
  readonly text: string;
  /** Undefined: all ports. */
  readonly port: number | undefined;
  readonly what: NetworkRule | NameRule | { readonly kind: 'any' };
}

/** An address or a network of addresses. */
export interface NetworkRule {
  readonly kind: 'network';
  readonly family: 4 | 6;
  /** Length of the prefix in bits. */
  readonly prefix: number;
  /** 4 or 16; those beyond the prefix are 0. */
  readonly bytes: readonly number[];
}

/** A host name; with `*.` before it, all names below it. */
export interface NameRule {
  readonly kind: 'name';
  /** Lower case, without a full stop at its end. */
  readonly name: string;
  readonly below: boolean;
}

export const targetRuleWords =
  'a network (10.0.0.0/8, fd00::/8), an address, a host name, *.DOMAIN or *, each with :PORT or without';

const hostNamePattern =
  /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$/;

/** Parses a rule. @throws Error whose message completes the sentence "the rule ..." */
export function parseTargetRule(text: string): TargetRule {
  const { subject, port } = splitPort(text);
  if (subject === '*') return { text, port, what: { kind: 'any' } };
  const slash = subject.indexOf('/');
  const address = parseAddress(slash < 0 ? subject : subject.slice(0, slash));
  if (address !== undefined && !subject.includes('%')) return { text, port, what: toNetwork(address, subject, slash) };
  const below = subject.startsWith('*.');
  const name = (below ? subject.slice(2) : subject).toLowerCase().replace(/\.$/, '');
  // A name that ends in a number is a malformed address: 10.0.0, 0x7f.1.
  if (!hostNamePattern.test(name) || /(?:^|\.)(?:[0-9]+|0x[0-9a-f]*)$/.test(name)) {
    throw new Error(`must be ${targetRuleWords}`);
  }
  return { text, port, what: { kind: 'name', name, below } };
}

/** A network of addresses, for built-in rules. */
export function network(text: string): NetworkRule {
  const { what } = parseTargetRule(text);
  if (what.kind !== 'network') throw new Error(`${text} is no network`);
  return what;
}

/**
 * `net.BlockList` is not used, because it parses the address for every rule, and thousands of pushes may be checked
 * each second.
 */
export function matchesNetwork({ family, prefix, bytes }: NetworkRule, address: Address): boolean {
  if (family !== address.family) return false;
  for (let index = 0; 8 * index < prefix; index++) {
    const mask = 0xff & (0xff << Math.max(0, 8 * (index + 1) - prefix));
    if (((address.bytes[index] ?? 0) & mask) !== bytes[index]) return false;
  }
  return true;
}

/** @param host lower case, without a full stop at its end */
export function matchesName(rule: NameRule, host: string): boolean {
  return rule.below ? host.endsWith(`.${rule.name}`) : host === rule.name;
}

function splitPort(text: string): { subject: string; port: number | undefined } {
  const [, inside, bare, portText] = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::([0-9]{1,5}))?$/.exec(text) ?? [];
  const subject = inside ?? bare;
  // Without brackets, colons make an IPv6 address.
  if (subject === undefined) return { subject: text, port: undefined };
  if (inside !== undefined && !inside.includes(':')) throw new Error('has brackets around something else than IPv6');
  const port = portText === undefined ? undefined : Number(portText);
  if (port !== undefined && (port < 1 || port > 65_535))
    throw new Error('has a port that is no number from 1 to 65535');
  return { subject, port };
}

function toNetwork(address: Address, subject: string, slash: number): NetworkRule {
  const { family, bytes } = address;
  const bits = family === 4 ? 32 : 128;
  let prefix = bits;
  if (slash >= 0) {
    const digits = subject.slice(slash + 1);
    // ::ffff:10.0.0.0/104 is 10.0.0.0/8.
    const mapped = family === 4 && subject.includes(':') ? 96 : 0;
    prefix = /^[0-9]{1,3}$/.test(digits) ? Number(digits) - mapped : -1;
    if (prefix < 0 || prefix > bits) throw new Error(`has a length of prefix that is no number up to ${bits + mapped}`);
  }
  if (bytes.some((byte, index) => (byte & (0xff >> Math.min(8, Math.max(0, prefix - 8 * index)))) !== 0)) {
    throw new Error(`has an address with bits beyond its prefix /${prefix}; write the address of the network`);
  }
  return { kind: 'network', family, prefix, bytes };
}
