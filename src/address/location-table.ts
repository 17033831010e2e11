import { BlockList, isIP } from 'node:net';
import { plainAddress } from './plain-address.js';

/** A network and the place that it is in, in the operator's words. */
export interface LocatedNetwork {
  /** `192.0.2.0/24`, `2001:db8::/32` or one address. */
  readonly network: string;
  readonly location: string;
}

export const locatedNetworkWords = 'LOCATION=NETWORK: berlin=10.1.0.0/16, or berlin=2001:db8::/32';

/** @throws Error that completes "ENTRY ..." */
export function parseLocatedNetwork(text: string): LocatedNetwork {
  const at = text.lastIndexOf('=');
  const [location, network] = [text.slice(0, at).trim(), text.slice(at + 1).trim()];
  if (at < 1 || location === '' || location.length > 128) throw new Error(`must be ${locatedNetworkWords}`);
  const [address = '', bits, more] = network.split('/');
  const version = isIP(address);
  const most = version === 6 ? 128 : 32;
  const isNetwork = version !== 0 && more === undefined;
  if (!isNetwork || (bits !== undefined && (!/^\d{1,3}$/.test(bits) || Number(bits) > most))) {
    throw new Error(`names no network; it must be ${locatedNetworkWords}`);
  }
  return { network, location };
}

/** Tells where an address is: the smallest network that it is in counts. */
export class LocationTable {
  readonly #networks: readonly { readonly list: BlockList; readonly location: string }[];

  constructor(networks: readonly LocatedNetwork[]) {
    const made = networks.map(({ network, location }) => {
      const [address = '', bits] = network.split('/');
      const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
      const length = bits === undefined ? 128 : Number(bits) + (family === 'ipv4' ? 96 : 0);
      const list = new BlockList();
      if (bits === undefined) list.addAddress(address, family);
      else list.addSubnet(address, Number(bits), family);
      return { list, location, length };
    });
    this.#networks = made.sort((left, right) => right.length - left.length);
  }

  /** Undefined: nobody said where it is. */
  locationOf(address: string): string | undefined {
    const plain = plainAddress(address);
    const version = isIP(plain);
    if (version === 0) return undefined;
    return this.#networks.find(({ list }) => list.check(plain, version === 6 ? 'ipv6' : 'ipv4'))?.location;
  }
}
