import type { NetworkInterfaceInfo } from 'node:os';
import { TargetError } from '../errors.js';
import { machineInterfaces } from './interfaces.js';
import { type Address, embeddedIpv4, parseAddress } from './ip-address.js';
import {
  matchesName,
  matchesNetwork,
  type NetworkRule,
  network,
  parseTargetRule,
  type TargetRule,
} from './target-rule.js';

/**
 * Networks that pushes may not go to, unless `push-allow` names them. No target is there, and some of them serve
 * secrets.
 */
const ownRules: readonly { readonly what: string; readonly networks: readonly NetworkRule[] }[] = [
  // These come first, since some of them are inside the networks below.
  {
    what: 'an address of metadata services of clouds',
    networks: [
      '169.254.169.254',
      '169.254.170.2',
      '169.254.170.23',
      'fd00:ec2::254',
      'fd00:ec2::23',
      'fd20:ce::254',
      '100.100.100.200',
      '168.63.129.16',
      '192.0.0.192',
    ].map(network),
  },
  { what: 'a link-local address', networks: ['169.254.0.0/16', 'fe80::/10'].map(network) },
  // A connection to 0.0.0.0 or :: reaches the machine itself.
  { what: 'an address of no machine', networks: ['0.0.0.0/8', '::'].map(network) },
  { what: 'a multicast address', networks: ['224.0.0.0/4', 'ff00::/8'].map(network) },
  { what: 'a broadcast or reserved address', networks: ['240.0.0.0/4'].map(network) },
];

/** The settings that say where pushes may go, in the form of `parseTargetRule`. */
export interface PushRules {
  /** Undefined: everything that is not denied. */
  readonly pushAllow?: readonly string[];
  readonly pushDeny?: readonly string[];
}

/** How a policy speaks of what it judges, and of the settings that its rules stand in. */
export interface PolicyWords {
  /** Begins a refusal: `pushes may not go to HOST, port PORT: ...`. */
  readonly refusal: string;
  readonly allow: string;
  readonly deny: string;
}

const pushWords: PolicyWords = { refusal: 'pushes may not go to', allow: 'push-allow', deny: 'push-deny' };

const sourceWords: PolicyWords = {
  refusal: 'sources may not be at',
  allow: 'source-allow',
  deny: 'source-deny',
};

/** A listener of this aggregator. */
export interface OwnListener {
  /** The address that it listens on; `0.0.0.0` and `::` mean all addresses of the machine. */
  readonly host: string;
  readonly port: number;
}

/**
 * Decides where pushes may go, by the address that is dialled and the name that it was looked up by:
 *
 * 1. a target in `push-deny` is refused;
 * 2. the listeners of this aggregator and the addresses of `ownRules` are refused, unless `push-allow` lists them (a
 *   listener by address and port, a network exactly or narrower);
 * 3. if `push-allow` is set, a target that is not in it is refused.
 */
export class PushPolicy {
  readonly #allow: readonly TargetRule[];
  readonly #deny: readonly TargetRule[];
  readonly #words: PolicyWords;
  readonly #listeners: OwnListener[] = [];
  #interfaces: readonly NetworkInterfaceInfo[] = [];
  /** Those of `#interfaces`, in their shortest form. */
  #addresses: ReadonlySet<string> = new Set();

  /** @throws Error for an invalid rule; settings are checked earlier */
  constructor(rules: PushRules = {}, words: PolicyWords = pushWords) {
    this.#words = words;
    this.#allow = (rules.pushAllow ?? []).map(parseTargetRule);
    this.#deny = (rules.pushDeny ?? []).map(parseTargetRule);
  }

  /** Refuses pushes to this listener from now on. */
  addListener(listener: OwnListener): void {
    this.#listeners.push(listener);
  }

  /**
   * Judges a target before its name is looked up; undefined if it may be allowed.
   * @param host as in a URL: an address without brackets, or a name
   */
  refusesHost(host: string, port: number): TargetError | undefined {
    const address = parseAddress(host);
    if (address !== undefined) return this.refuses(host, host, port);
    const name = plainName(host);
    const denied = this.#deny.find((rule) => isFor(rule, port) && namesHost(rule, name));
    if (denied !== undefined) return this.#refusal(host, port, `${this.#words.deny} has ${denied.text}`);
    const couldBeAllowed = (rule: TargetRule): boolean =>
      isFor(rule, port) && (rule.what.kind === 'network' || namesHost(rule, name));
    if (this.#allow.length === 0 || this.#allow.some(couldBeAllowed)) return undefined;
    return this.#refusal(host, port, `${this.#words.allow} does not have it`);
  }

  /**
   * Why this address must not be dialled; undefined if it may. @param host the name it was looked up by, or the address
   */
  refuses(host: string, address: string, port: number): TargetError | undefined {
    const shown = host === address ? host : `${host} (${address})`;
    const parsed = parseAddress(address);
    // This should not happen: only addresses are dialled.
    if (parsed === undefined) return this.#refusal(shown, port, 'it is no IP address');
    const name = plainName(host);
    const addresses = [parsed, ...embeddedIpv4(parsed)];
    for (const rule of this.#deny) {
      if (!isFor(rule, port)) continue;
      if (namesHost(rule, name) || addresses.some((each) => isIn(rule, each))) {
        return this.#refusal(shown, port, `${this.#words.deny} has ${rule.text}`);
      }
    }
    for (const each of addresses) {
      const own = this.#refusesOwn(each, port);
      if (own !== undefined) return this.#refusal(shown, port, own);
    }
    const isAllowed = (rule: TargetRule): boolean => isFor(rule, port) && (namesHost(rule, name) || isIn(rule, parsed));
    if (this.#allow.length === 0 || this.#allow.some(isAllowed)) return undefined;
    return this.#refusal(shown, port, `${this.#words.allow} does not have it`);
  }

  #refusal(shown: string, port: number, rule: string): TargetError {
    return new TargetError('TARGET_FORBIDDEN', `${this.#words.refusal} ${shown}, port ${port}: ${rule}`);
  }

  #refusesOwn(address: Address, port: number): string | undefined {
    if (this.#isOwnListener(address, port)) {
      const lifts = (rule: TargetRule): boolean => rule.port === port && isIn(rule, address);
      if (!this.#allow.some(lifts)) return 'it is a port of this aggregator itself';
    }
    for (const { what, networks } of ownRules) {
      const own = networks.find((each) => matchesNetwork(each, address));
      if (own === undefined) continue;
      const lifts = ({ what: wanted, ...rule }: TargetRule): boolean =>
        isFor(rule, port) &&
        wanted.kind === 'network' &&
        wanted.prefix >= own.prefix &&
        matchesNetwork(wanted, address);
      return this.#allow.some(lifts) ? undefined : `it is ${what}`;
    }
    return undefined;
  }

  #isOwnListener(address: Address, port: number): boolean {
    return this.#listeners.some((listener) => {
      if (listener.port !== port) return false;
      const bound = parseAddress(listener.host);
      // If it listens on a name, all addresses of the machine count, to be safe.
      const isAny = bound === undefined || bound.text === '::' || (bound.text === '0.0.0.0' && address.family === 4);
      return isAny ? this.#isOwnAddress(address) : bound.text === address.text;
    });
  }

  #isOwnAddress(address: Address): boolean {
    if (isUnspecified(address)) return true;
    if (address.family === 4 ? address.bytes[0] === 127 : address.text === '::1') return true;
    const interfaces = machineInterfaces();
    if (interfaces !== this.#interfaces) {
      this.#interfaces = interfaces;
      this.#addresses = new Set(interfaces.map((found) => parseAddress(found.address)?.text ?? ''));
    }
    return this.#addresses.has(address.text);
  }
}

/** Where sources may be that are pulled: the same rules, in settings of their own. @throws Error for an invalid rule */
export function sourcePolicy(rules: {
  readonly sourceAllow?: readonly string[];
  readonly sourceDeny?: readonly string[];
}): PushPolicy {
  const { sourceAllow: pushAllow, sourceDeny: pushDeny } = rules;
  return new PushPolicy(
    { ...(pushAllow === undefined ? {} : { pushAllow }), ...(pushDeny === undefined ? {} : { pushDeny }) },
    sourceWords,
  );
}

function isUnspecified({ text }: Address): boolean {
  return text === '0.0.0.0' || text === '::';
}

function isFor(rule: Pick<TargetRule, 'port'>, port: number): boolean {
  return rule.port === undefined || rule.port === port;
}

function isIn({ what }: TargetRule, address: Address): boolean {
  return what.kind === 'network' && matchesNetwork(what, address);
}

function namesHost({ what }: TargetRule, name: string): boolean {
  return what.kind === 'any' || (what.kind === 'name' && matchesName(what, name));
}

function plainName(host: string): string {
  return host.toLowerCase().replace(/\.$/, '');
}
